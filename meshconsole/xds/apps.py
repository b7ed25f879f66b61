from django.apps import AppConfig


class XdsConfig(AppConfig):
    name = "meshconsole.xds"
    label = "xds"
