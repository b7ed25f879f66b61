"""The left navigation: sections, their pages, and the key that jumps there after `g`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    view: str
    """The URL's name."""
    title: str
    icon: str
    key: str
    inside: tuple[str, ...] = ()
    """URL names of the pages below it, for which it is the current one too."""


@dataclass(frozen=True)
class Section:
    title: str
    items: tuple[Item, ...]


SECTIONS = (
    Section("", (
        Item("overview", "Overview", "layout-dashboard", "o"),
        Item("topology", "Topology", "waypoints", "t"),
        Item("traces", "Traces", "activity", "r", ("trace",)),
        Item("logs", "Logs", "scroll-text", "l", ("log",)),
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
        Item("certificates", "Certificates", "shield-check", "k"),
        Item("join", "Join a workload", "plug", "j"),
    )),
)  # fmt: skip
SETTINGS = Item("settings", "Settings", "settings", ",")

TIMED = frozenset({"overview", "services", "service", "workloads", "workload", "traces", "logs"})
"""Pages that look at a span of time, chosen in the masthead."""
