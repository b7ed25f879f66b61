"""The left navigation: sections, their pages, and the key that jumps there after `g`."""

from dataclasses import dataclass
from typing import Any

from meshconsole.accounts.permissions import may


@dataclass(frozen=True)
class Item:
    view: str
    """The URL's name."""
    title: str
    icon: str
    key: str
    inside: tuple[str, ...] = ()
    """URL names of the pages below it, for which it is the current one too."""
    needs: tuple[str, str, str | None] | None = None
    """(verb, kind, namespace) that one must be allowed, for the item to be there; the page asks again by itself."""


@dataclass(frozen=True)
class Section:
    title: str
    items: tuple[Item, ...]


SECTIONS = (
    Section("", (
        Item("overview", "Overview", "layout-dashboard", "o"),
        Item("topology", "Topology", "waypoints", "t"),
        Item("traces", "Traces", "activity", "r", ("trace",)),
        Item("logs", "Logs", "scroll-text", "l", ("log", "denials")),
        Item("why", "Why?", "circle-help", "q"),
    )),
    Section("Mesh", (
        Item("services", "Services", "globe", "s", ("service",)),
        Item("workloads", "Workloads", "box", "w", ("workload",)),
        Item("proxies", "Proxies", "network", "x", ("proxy",)),
    )),
    Section("Configuration", (
        Item("policies", "Policies", "file-sliders", "p", ("policy", "policy-new")),
        Item("changes", "Changes", "history", "c", ("change",)),
    )),
    Section("Reliability", (
        Item("alerts", "Alerts", "triangle-alert", "a", ("alert", "channels")),
        Item("objectives", "Objectives", "badge-check", "b"),
    )),
    Section("Trust", (
        Item("mtls", "Mutual TLS", "lock", "m"),
        Item("certificates", "Certificates", "shield-check", "k"),
        Item("join", "Join a workload", "plug", "j"),
    )),
    Section("Console", (
        Item("people", "People", "users", "u", ("person", "person-new", "person-act"), ("get", "Grant", None)),
        Item("audit", "Audit log", "fingerprint", "y", (), ("get", "AuditEntry", "*")),
    )),
)  # fmt: skip
SETTINGS = Item("settings", "Settings", "settings", ",", ("security",))


def sections(user: Any) -> list[Section]:
    """Those that `user` may see anything in."""
    found = [Section(s.title, tuple(i for i in s.items if i.needs is None or may(user, *i.needs))) for s in SECTIONS]
    return [s for s in found if s.items]


TIMED = frozenset({"overview", "services", "service", "workloads", "workload", "traces", "logs", "denials", "mtls"})
"""Pages that look at a span of time, chosen in the masthead."""
