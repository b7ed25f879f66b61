from typing import Any

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "meshconsole.api"
    label = "api"

    def ready(self) -> None:
        from meshconsole.configstore import signals

        signals.analysing.connect(_workloads, dispatch_uid="workloads for analysis")


def _workloads(**_: Any) -> Any:
    """The store lies below discovery and cannot ask it: what analysis needs to know of it is brought down here."""
    from meshconsole.discovery import registry

    return registry.workloads()
