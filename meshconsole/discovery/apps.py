from typing import Any

from django.apps import AppConfig


class DiscoveryConfig(AppConfig):
    name = "meshconsole.discovery"
    label = "discovery"

    def ready(self) -> None:
        from meshconsole.configstore import signals
        from meshconsole.keysets.signals import changed

        signals.analysing.connect(_workloads, dispatch_uid="discovery")
        changed.connect(_keys, dispatch_uid="discovery")
        signals.committed.connect(_groups, dispatch_uid="discovery.groups")


def _workloads(**_: Any) -> Any:
    from . import registry

    return registry.workloads()


def _keys(**_: Any) -> None:
    from . import registry

    registry.touch()


def _groups(*, revision: int, **_: Any) -> None:
    from . import membership

    membership.committed(revision)
