from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "meshconsole.accounts"
    label = "accounts"

    def ready(self) -> None:
        from . import checks, sessions  # noqa: F401 - registers itself

        sessions.listen()
