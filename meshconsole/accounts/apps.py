from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "meshconsole.accounts"
    label = "accounts"

    def ready(self) -> None:
        from . import checks, redaction, sessions  # noqa: F401 - checks register themselves

        redaction.install()
        sessions.listen()
