from django.apps import AppConfig


class ConfigstoreConfig(AppConfig):
    name = "meshconsole.configstore"
    label = "configstore"
