from typing import Any

from django.apps import AppConfig


class DiscoveryConfig(AppConfig):
    name = "meshconsole.discovery"
    label = "discovery"

    def ready(self) -> None:
        from meshconsole.configstore import signals

        signals.analysing.connect(_workloads, dispatch_uid="discovery")


def _workloads(**_: Any) -> Any:
    from . import registry

    return registry.workloads()
