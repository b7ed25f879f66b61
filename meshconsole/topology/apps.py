from django.apps import AppConfig


class TopologyConfig(AppConfig):
    name = "meshconsole.topology"
    label = "topology"
