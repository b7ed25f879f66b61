"""The seam of a condition. One file here is one condition; its module names an instance CONDITION."""

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from meshconsole.core.resources.common import seconds

from ..evaluation import Finding
from ..readings import Period, Readings
from ..rule import Rule, Target


class Condition:
    name: ClassVar[str]
    """The field of AlertRule's `condition` (in Python's spelling)."""
    title: ClassVar[str]
    reads_proxies: ClassVar[bool] = False
    reads_certificates: ClassVar[bool] = False

    def periods(self, spec: Any) -> Iterator[Period]:
        """Whose edges it looks at."""
        return iter(())

    def query(self, spec: Any) -> str | None:
        """What Prometheus is asked for it."""
        return None

    def findings(self, rule: Rule, readings: Readings) -> Iterable[Finding]:
        """One finding per instance, breached or not."""
        raise TypeError(f"{type(self).__name__} finds nothing")

    def promql(self, rule: Rule) -> str | None:
        """The same for Prometheus; None where its metrics do not say it."""
        return None


def whole(duration: str) -> int:
    return int(seconds(duration))


def window(spec: Any) -> Period:
    return Period(whole(spec.window))


def before(spec: Any) -> Period:
    return Period(whole(spec.window), whole(spec.compared_to))


def name(instance: str) -> str:
    """`reviews` of `reviews.default.svc.cluster.local`, `default/reviews-v1` as it is."""
    return instance.split(".")[0] if ".svc." in instance else instance


def labels(instance: str, target: Target) -> dict[str, str]:
    """What an alert about a service or a workload bears, in Istio's words."""
    if target.workload:
        return {"namespace": target.namespace, "workload": target.workload}
    short, _, rest = instance.partition(".")
    return {"namespace": rest.split(".")[0], "service": short} if ".svc." in instance else {"service": instance}


def proxy_labels(proxy: Any) -> dict[str, str]:
    return {"namespace": proxy.namespace, "workload": proxy.name}


def percent(share: float) -> str:
    return f"{share * 100:.3g} %"


def span(seconds_: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds_ >= size and seconds_ % size == 0:
            return f"{seconds_ / size:.0f} {unit}"
    return f"{seconds_:.0f} s"


def matchers(target: Target) -> str:
    """PromQL's, for Istio's metrics as the source reports them."""
    said = ['reporter="source"']
    if target.workload:
        said += [f'destination_workload="{target.workload}"', f'destination_workload_namespace="{target.namespace}"']
    elif target.service:
        said.append(f'destination_service="{target.service}"')
    elif target.namespace:
        said.append(f'destination_service_namespace="{target.namespace}"')
    return ", ".join(said)
