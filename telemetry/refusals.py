"""Denials of a span of time, by who denies, who was denied, and what was asked for; and what dry-run policies would have denied."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from . import logs
from .denials import PolicyName

READ = 20_000
"""Records that are added up at most, the newest."""


@dataclass(frozen=True)
class Refusal:
    words: str
    """`denied by payments/deny-all, rule 0`; for a dry run its policies."""
    policies: tuple[PolicyName, ...]
    line: str
    """`Kind namespace/name path` of the rule, '' where none is to be named."""
    caller: str
    """`namespace/workload`, or an address."""
    principal: str
    target: str
    """`namespace/workload` that was called."""
    service: str
    method: str
    path: str
    """Without its query."""
    count: int
    last: float
    """Unix seconds."""


@dataclass(frozen=True)
class Refusals:
    groups: tuple[Refusal, ...]
    """The most frequent first."""
    count: int
    more: bool
    """There were more than could be added up; or agents may have dropped some. Then `count` is a lower bound."""


def refusals(asked: logs.Asked, start: float, end: float, *, would: bool = False) -> Refusals:
    """`would`: those that dry-run policies would have made."""
    asked = replace(asked, denied=not would, would=would)
    found = logs.records(asked, start, end, READ + 1)
    groups: dict[tuple[str, ...], list[logs.Record]] = {}
    for record in found[:READ]:
        groups.setdefault(_key(record, would), []).append(record)
    made = sorted((_refusal(records, would) for records in groups.values()), key=lambda r: (-r.count, -r.last))
    return Refusals(tuple(made), min(len(found), READ), len(found) > READ)


def _key(record: logs.Record, would: bool) -> tuple[str, ...]:
    said = record.said
    words = record.would if would else record.denied
    return words, _caller(record), _target(record), record.service, said.get("method", ""), _path(record)


def _refusal(records: Sequence[logs.Record], would: bool) -> Refusal:
    first = records[0]
    policies = tuple(PolicyName("AuthorizationPolicy", *name.split("/", 1)) for name in first.would.split(",")) if would else first.policies
    return Refusal(
        words=f"would be denied by {', '.join(f'{p.namespace}/{p.name}' for p in policies)}" if would else first.denied,
        policies=policies,
        line="" if would else first.said.get("line", ""),
        caller=_caller(first),
        principal=first.said.get("principal" if first.reporter == "destination" else "caller", ""),
        target=_target(first),
        service=first.service,
        method=first.said.get("method", ""),
        path=_path(first),
        count=len(records),
        last=max(r.at for r in records) / 1e6,
    )


def _caller(record: logs.Record) -> str:
    if record.reporter == "destination" and record.peer:
        return f"{record.peer_namespace}/{record.peer}"
    return record.said.get("client", "").rpartition(":")[0]


def _target(record: logs.Record) -> str:
    return f"{record.namespace}/{record.workload}"


def _path(record: logs.Record) -> str:
    return record.said.get("path", "").partition("?")[0]
