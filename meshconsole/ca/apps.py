from django.apps import AppConfig


class CaConfig(AppConfig):
    name = "meshconsole.ca"
    label = "ca"
