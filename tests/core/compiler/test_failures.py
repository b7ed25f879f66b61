"""One policy that breaks the compiler is one unit's trouble."""

from collections.abc import Iterable
from typing import Any, ClassVar, Self

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.compiler.kinds import Kinds
from meshconsole.core.envoy.draft import Draft, HostDraft, InboundDraft, Route
from meshconsole.core.envoy.resource_set import XdsType
from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.core.policies.base import Phase, View

from .mesh import Answering, Fake, bookinfo, snapshot

CALLS = Demand(frozenset({"reviews:9080", "details:9080"}))
REVIEWS, DETAILS = (
    (XdsType.VHDS, "outbound/reviews.default.svc.cluster.local:9080"),
    (XdsType.VHDS, "outbound/details.default.svc.cluster.local:9080"),
)


class Breaking(Fake):
    """`spec: {host}` or `{app}`: raises for that host, or for workloads of that name's inbound side. `{host, nonsense}`: writes what Envoy does not know."""

    phase: ClassVar[Phase | None] = Phase.LIMITS

    @classmethod
    def apply(cls, policies: Iterable[Self], draft: Draft, view: View) -> None:
        for policy in policies:
            spec: dict[str, Any] = policy.spec
            if isinstance(draft, HostDraft) and draft.host == f"{spec.get('host')}.default.svc.cluster.local":
                if "nonsense" in spec:
                    draft.routes = [Route("x", {"nonsense": True}, direct_response={"status": 200})]
                    draft.origins.append(policy.origin())
                    continue
                raise ZeroDivisionError("division by zero")
            if isinstance(draft, InboundDraft) and draft.workload.name == spec.get("app"):  # type: ignore[attr-defined]
                raise ZeroDivisionError("division by zero")


KINDS = Kinds([Answering, Breaking])


def after(before: Snapshot, policies: list[Any]) -> Snapshot:
    return Snapshot.following(before, before.mesh, policies, before.workloads, before.revision + 1)


def test_a_unit_that_breaks_keeps_its_last_good_state_and_says_whose_policy_it_was():
    compiler, first = Compiler(KINDS), snapshot()
    good = compiler.compile(first, bookinfo()[0], CALLS)
    second = after(
        first,
        [Breaking.make("bad", {"host": "reviews"}), Answering.make("new", {"host": "details.default.svc.cluster.local", "status": 418})],
    )
    found = compiler.compile(second, bookinfo()[0], CALLS)
    assert found.blobs[REVIEWS] is good.blobs[REVIEWS]
    assert found.blobs[DETAILS] is not good.blobs[DETAILS]  # the rest moves on
    assert [str(f) for f in found.failures] == [
        "host outbound/reviews.default.svc.cluster.local:9080 (Breaking default/bad): ZeroDivisionError: division by zero"
    ]
    assert not found.partial


def test_what_was_repaired_is_compiled_again():
    compiler, first = Compiler(KINDS), snapshot()
    compiler.compile(first, bookinfo()[0], CALLS)
    second = after(first, [Breaking.make("bad", {"host": "reviews"})])
    assert compiler.compile(second, bookinfo()[0], CALLS).failures
    third = after(second, [Answering.make("good", {"host": "reviews.default.svc.cluster.local", "status": 418})])
    assert compiler.compile(third, bookinfo()[0], CALLS).failures == ()


def test_without_a_last_good_state_the_rest_is_there_and_nothing_is_to_be_removed():
    compiler, first = Compiler(KINDS), snapshot([Breaking.make("bad", {"host": "reviews"})])
    found = compiler.compile(first, bookinfo()[0], CALLS)
    assert REVIEWS not in found.blobs and DETAILS in found.blobs
    assert found.partial
    fixed = compiler.compile(after(first, []), bookinfo()[0], CALLS)
    assert REVIEWS in fixed.blobs and not fixed.partial


def test_what_envoys_api_does_not_know_is_blamed_on_those_who_wrote_it():
    found = Compiler(KINDS).compile(snapshot([Breaking.make("bad", {"host": "reviews", "nonsense": 1})]), bookinfo()[0], CALLS)
    (failure,) = found.failures
    assert [str(origin) for origin in failure.policies] == ["Breaking default/bad"]
    assert "nonsense" in failure.reason


def test_a_broken_inbound_side_leaves_the_outbound_one_alone():
    found = Compiler(KINDS).compile(snapshot([Breaking.make("bad", {"app": "productpage-v1"})]), bookinfo()[0], CALLS)
    assert (XdsType.LDS, "inbound|9080") not in found.blobs
    assert (XdsType.LDS, "outbound") in found.blobs
    assert [failure.unit for failure in found.failures] == ["inbound default/productpage-v1 9080"]
