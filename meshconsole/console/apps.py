from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "meshconsole.console"
    label = "console"
