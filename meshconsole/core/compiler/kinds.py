"""The kinds that exist, by phase. Nothing here names one: a kind is a file in core.policies."""

from collections.abc import Iterable
from functools import cache
from types import ModuleType

from meshconsole import plugins
from meshconsole.core.policies.base import Phase, Policy


class Kinds:
    def __init__(self, kinds: Iterable[type[Policy]]):
        self.all = tuple(sorted(kinds, key=lambda kind: kind.__name__))
        phased = [kind for kind in self.all if kind.phase is not None]
        self.writing = tuple(sorted(phased, key=lambda kind: (kind.phase or 0, kind.__name__)))
        """Those that write into drafts, in the order in which they do."""
        self.local = tuple(kind for kind in self.writing if kind.phase not in (Phase.SERVERS, Phase.ROUTES, Phase.CLUSTERS))
        """Those that hold for a workload and not for a host: they write into inbound and gateway drafts."""
        securing = (Phase.SERVERS, Phase.CREDENTIALS, Phase.IDENTITY, Phase.AUTHN, Phase.AUTHZ)
        self.outbound = tuple(kind for kind in self.writing if kind.phase not in securing)
        """Those that hold for a host as its clients see it: they write into host and cluster drafts."""
        self.patching = tuple(kind for kind in self.all if kind.patches is not Policy.patches)
        """Those that change what has been rendered."""
        self.narrowing = tuple(kind for kind in self.all if kind.narrow is not Policy.narrow)

    def of(self, *phases: Phase) -> tuple[type[Policy], ...]:
        return tuple(kind for kind in self.writing if kind.phase in phases)


@cache
def discovered() -> Kinds:
    """Every Policy class that a module of core.policies defines."""
    import meshconsole.core.policies as package

    return Kinds(kind for module in plugins.discover(package) for kind in _kinds_of(module))


def _kinds_of(module: ModuleType) -> list[type[Policy]]:
    found = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Policy) and value is not Policy]
    # A class is its module's own, or of the folder that is its kind (virtual_service/); and it has said what it is called.
    return [kind for kind in found if kind.__module__.startswith(module.__name__) and hasattr(kind, "plural")]
