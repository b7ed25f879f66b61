from django.apps import AppConfig


class AlertsConfig(AppConfig):
    name = "meshconsole.alerts"
    label = "alerts"
