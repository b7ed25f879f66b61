from django.apps import AppConfig


class TelemetryConfig(AppConfig):
    name = "telemetry"

    def ready(self) -> None:
        from django.db.models.signals import post_migrate

        post_migrate.connect(_forget, sender=self)


def _forget(**_: object) -> None:
    """The tables were made, or flushed: numbers of series that this process remembers may be others' now."""
    from . import ingest
    from .stores import embedded

    ingest.forget()
    embedded.dictionary.forget()
