"""What an EnvoyFilter says against itself (Istio: ValidateEnvoyFilter, and the analyzer's IST0151 to IST0155)."""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from meshconsole.core.envoy.constraints import broken
from meshconsole.core.envoy.written import read
from meshconsole.core.resources.catalogue import UNKNOWN_FIELD, UNSUPPORTED
from meshconsole.core.resources.messages import Level, Message
from meshconsole.core.resources.selectors import problems

from .changes import DEPRECATED, METADATA, VALUES
from .schema import ApplyTo, ConfigPatch, FilterClass, Match, Operation, PatchBody, Where

if TYPE_CHECKING:
    from . import EnvoyFilter

_HCM = ("envoy.filters.network.http_connection_manager", "envoy.http_connection_manager")
_OF_LISTENER = (ApplyTo.LISTENER, ApplyTo.LISTENER_FILTER, ApplyTo.FILTER_CHAIN, ApplyTo.NETWORK_FILTER, ApplyTo.HTTP_FILTER)
_OF_ROUTES = (ApplyTo.ROUTE_CONFIGURATION, ApplyTo.VIRTUAL_HOST, ApplyTo.HTTP_ROUTE)
_REPLACEABLE = (ApplyTo.HTTP_FILTER, ApplyTo.NETWORK_FILTER, ApplyTo.VIRTUAL_HOST, ApplyTo.LISTENER_FILTER)
_RELATIVE = (Operation.REMOVE, Operation.REPLACE, Operation.INSERT_BEFORE, Operation.INSERT_AFTER)


def check(policy: "EnvoyFilter") -> Iterator[Message]:
    spec = policy.spec
    yield from (policy.error(path, text) for path, text in problems(policy.labels, "spec.workloadSelector.labels"))
    if spec.workload_selector is not None and not policy.labels:
        yield policy.warning("spec.workloadSelector", "no labels are given: it is for all workloads of the namespace")
    for i, entry in enumerate(spec.config_patches):
        at = f"spec.configPatches[{i}]"
        if entry.apply_to is None:
            yield policy.error(f"{at}.applyTo", "is required")
        elif entry.apply_to is ApplyTo.BOOTSTRAP:
            text = "not supported yet: the agent writes Envoy's bootstrap, and a change of it needs a restart; see ProxyConfig for what can be set"
            yield policy.error(f"{at}.applyTo", text, UNSUPPORTED)
        else:
            yield from _matching(policy, at, entry.apply_to, entry.match or Match())
            yield from _patching(policy, at, entry.apply_to, entry.patch)
    yield from _ordering(policy)


def _matching(policy: "EnvoyFilter", at: str, apply_to: ApplyTo, match: Match) -> Iterator[Message]:
    if match.context is Where.WAYPOINT:
        text = "not supported yet: waypoints belong to Istio's ambient mode; here each workload has its own proxy"
        yield policy.error(f"{at}.match.context", text, UNSUPPORTED)
    given = [
        n for n, v in (("listener", match.listener), ("routeConfiguration", match.route_configuration), ("cluster", match.cluster)) if v
    ]
    if len(given) > 1:
        yield policy.error(f"{at}.match", f"{' and '.join(given)} exclude one another; keep one")
    fitting = "listener" if apply_to in _OF_LISTENER else "routeConfiguration" if apply_to in _OF_ROUTES else "cluster"
    for name in given:
        if name != fitting or apply_to is ApplyTo.EXTENSION_CONFIG:
            yield policy.error(f"{at}.match.{name}", f"applyTo {apply_to} cannot be matched by {name}" + _instead(apply_to, fitting))
    for key in match.proxy.metadata if match.proxy else ():
        if key not in METADATA:
            text = f"not supported yet: proxies here have no node metadata but {' and '.join(METADATA)}; use workloadSelector"
            yield policy.error(f"{at}.match.proxy.metadata.{key}", text, UNSUPPORTED)
    chain = match.listener.filter_chain if match.listener else None
    if match.listener and match.listener.listener_filter and apply_to is not ApplyTo.LISTENER_FILTER:
        yield policy.error(f"{at}.match.listener.listenerFilter", "can be matched with applyTo LISTENER_FILTER only")
    if chain is None or chain.filter is None:
        return
    where, wanted = f"{at}.match.listener.filterChain.filter", chain.filter
    if apply_to in (ApplyTo.LISTENER, ApplyTo.LISTENER_FILTER, ApplyTo.FILTER_CHAIN):
        yield policy.warning(where, f"filter match has no effect when used with {apply_to}")
    if not wanted.name:
        yield policy.error(f"{where}.name", "filter match has no name to match on")
    elif wanted.sub_filter is not None:
        if apply_to is not ApplyTo.HTTP_FILTER:
            yield policy.error(f"{where}.subFilter", "subfilter match can be used with applyTo HTTP_FILTER only")
        if wanted.name not in _HCM:
            yield policy.error(f"{where}.name", f"subfilter match requires filter match with {_HCM[0]}")
        if not wanted.sub_filter.name:
            yield policy.error(f"{where}.subFilter.name", "subfilter match has no name to match on")
    for path, name in ((f"{where}.name", wanted.name), (f"{where}.subFilter.name", wanted.sub_filter.name if wanted.sub_filter else "")):
        if name in DEPRECATED:
            yield policy.warning(path, f'using deprecated filter name "{name}"; use "{DEPRECATED[name]}" instead')


def _instead(apply_to: ApplyTo, fitting: str) -> str:
    return "; leave it out" if apply_to is ApplyTo.EXTENSION_CONFIG else f"; use {fitting}"


def _patching(policy: "EnvoyFilter", at: str, apply_to: ApplyTo, patch: PatchBody | None) -> Iterator[Message]:
    if patch is None or patch.operation is None:
        yield policy.error(f"{at}.patch" + (".operation" if patch else ""), "missing patch operation" if patch else "missing patch")
        return
    operation = patch.operation
    if patch.value is None and operation is not Operation.REMOVE:
        yield policy.error(f"{at}.patch.value", "missing patch value for non-remove operation")
    if patch.filter_class is not FilterClass.UNSPECIFIED and (apply_to is not ApplyTo.HTTP_FILTER or operation is not Operation.ADD):
        yield policy.error(f"{at}.patch.filterClass", "says where an HTTP_FILTER is added (operation ADD); remove the field")
    if apply_to is ApplyTo.EXTENSION_CONFIG and operation is not Operation.ADD:
        yield policy.error(f"{at}.patch.operation", "EXTENSION_CONFIG takes ADD only: a filter names it by config_discovery")
    if patch.value is not None:
        message, faults = read(VALUES[apply_to], patch.value)
        for fault in faults:
            code = UNKNOWN_FIELD if fault.text.startswith("unknown field") else "IST0106"
            yield policy.error(
                f"{at}.patch.value{'.' if fault.path and not fault.path.startswith('[') else ''}{fault.path}", fault.text, code
            )
        if message is not None and operation not in (Operation.MERGE, Operation.MERGE_AND_REPLACE_LIST, Operation.REMOVE):
            # What is merged may be a part; what stands by itself must be whole.
            for path, why in islice(broken(message), 20):
                yield policy.error(f"{at}.patch.value{'.' if path else ''}{path}", why)
            if apply_to is ApplyTo.LISTENER and not message.name:  # type: ignore[attr-defined]
                yield policy.error(f"{at}.patch.value.name", "is required: what is added needs a name")


def _ordering(policy: "EnvoyFilter") -> Iterator[Message]:
    versioned: set[str] = set()
    for i, entry in enumerate(policy.spec.config_patches):
        at, patch = f"spec.configPatches[{i}]", entry.patch
        if patch is None or patch.operation is None or entry.apply_to is None:
            continue
        apply_to, operation = entry.apply_to, patch.operation
        if apply_to in (ApplyTo.ROUTE_CONFIGURATION, ApplyTo.HTTP_ROUTE) and operation is Operation.ADD:
            text = "The ADD operation will be ignored when applyTo is set to ROUTE_CONFIGURATION, or HTTP_ROUTE."
            yield policy.error(at, text, "IST0153")
        elif apply_to in (ApplyTo.ROUTE_CONFIGURATION, ApplyTo.HTTP_ROUTE) and operation is Operation.REMOVE:
            text = "The REMOVE operation will be ignored when applyTo is set to ROUTE_CONFIGURATION, or HTTP_ROUTE."
            yield policy.error(at, text, "IST0154")
        elif operation is Operation.REPLACE and apply_to not in _REPLACEABLE:
            yield policy.error(at, "The REPLACE operation is only valid for HTTP_FILTER and NETWORK_FILTER.", "IST0152")
        elif operation in _RELATIVE and policy.spec.priority == 0:
            yield _relative(policy, at, entry, versioned)
        if entry.match is not None and entry.match.proxy is not None and entry.match.proxy.proxy_version:
            versioned.add(_instance(entry))


def _relative(policy: "EnvoyFilter", at: str, entry: ConfigPatch, versioned: set[str]) -> Message:
    advice = "Using the INSERT_FIRST or ADD option or setting the priority may help in ensuring the EnvoyFilter is applied correctly."
    if _instance(entry) in versioned:
        text = (
            "This EnvoyFilter does not have a priority and has a relative patch operation (INSERT_BEFORE/AFTER, REPLACE, MERGE, DELETE) and "
            "proxyVersion set which can cause the EnvoyFilter not to be applied during an upgrade. "
        )
        return Message(Level.WARNING, "IST0155", text + advice, policy.key, at)
    text = "This EnvoyFilter does not have a priority and has a relative patch operation set which can cause the EnvoyFilter not to be applied. "
    return Message(Level.WARNING, "IST0151", text + advice, policy.key, at)


def _instance(entry: ConfigPatch) -> str:
    """What the patch is of, as Istio's analyzer tells it: the value's name, else the filter that it matches."""
    value = (entry.patch.value if entry.patch else None) or {}
    if value.get("name"):
        return str(value["name"])
    chain = entry.match.listener.filter_chain if value and entry.match and entry.match.listener else None
    return chain.filter.name if chain and chain.filter else ""
