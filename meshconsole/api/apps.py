from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "meshconsole.api"
    label = "api"
