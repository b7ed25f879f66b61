from django.apps import AppConfig


class DiscoveryConfig(AppConfig):
    name = "meshconsole.discovery"
    label = "discovery"
