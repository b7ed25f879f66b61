from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "meshconsole.agents"
    label = "agents"
