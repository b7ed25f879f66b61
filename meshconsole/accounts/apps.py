from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "meshconsole.accounts"
    label = "accounts"
