from typing import Any

from django.apps import AppConfig


class KeysetsConfig(AppConfig):
    name = "meshconsole.keysets"
    label = "keysets"

    def ready(self) -> None:
        from meshconsole.configstore import signals

        signals.committed.connect(_committed, dispatch_uid="keysets")
        signals.examining.connect(_examined, dispatch_uid="keysets")


def _committed(*, revision: int, **_: Any) -> None:
    from . import refreshing

    refreshing.after(revision)


def _examined(*, policies: Any, **_: Any) -> Any:
    from . import filling

    return filling.messages(policies)
