"""What a policy is attached to by name instead of by labels (Istio: PolicyTargetReference)."""

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from .envelope import Model

MOST = 16
_HERE = "here a policy is attached to a Service of its namespace (group '', kind Service), and to all else by selector"
_OTHERS = {
    "Gateway": "the Gateway API is not read; select the gateway's proxies by their labels",
    "GatewayClass": "the Gateway API is not read; select the gateways' proxies by their labels",
    "ServiceEntry": "use selector with the labels of its workloadSelector",
    "HTTPRoute": "the Gateway API is not read; say hosts and paths in the rules",
}


class TargetReference(Model):
    unsupported: ClassVar[dict[str, str]] = {"namespace": "cross namespace referencing is not supported, in Istio neither"}

    group: str = ""
    """Empty, or `core`: that of Services."""
    kind: Annotated[str, Field(min_length=1)]
    """`Service`."""
    name: Annotated[str, Field(min_length=1, max_length=253)]
    """A service of the policy's namespace: the workloads that serve it are meant."""


def targets(one: TargetReference | None, several: Sequence[TargetReference]) -> list[tuple[str, TargetReference]]:
    """(path in the spec, reference)"""
    return [*([("targetRef", one)] if one else []), *((f"targetRefs[{i}]", each) for i, each in enumerate(several))]


def faults(found: Sequence[tuple[str, TargetReference]], *, selector: bool) -> Iterator[tuple[str, str]]:
    """(path, what is wrong)"""
    fields = {path.partition("[")[0] for path, _ in found}
    if (selector and fields) or len(fields) > 1:
        yield f"spec.{found[0][0]}", "only one of targetRefs or selector can be set"
    if len(found) > MOST:
        yield "spec.targetRefs", f"{len(found)} are more than {MOST}"
    for path, each in found:
        if each.kind != "Service" or each.group not in ("", "core"):
            yield f"spec.{path}.kind", f"not supported: {each.kind}; {_OTHERS.get(each.kind, _HERE)}"
