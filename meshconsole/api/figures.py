"""The console's own figures as text exposition. Pure."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from meshconsole.core.mesh.model import Workload

from .plain import plain


def exposition(proxies: Iterable[Any], workloads: Iterable[Workload], revision: int) -> str:
    shown = [plain(p) for p in proxies]
    states = Counter(str(p.get("state", "UNKNOWN")) for p in shown)
    healthy = Counter(w.healthy for w in workloads)
    return "".join(
        [
            _family(
                "meshconsole_proxies_connected",
                "gauge",
                "Proxies whose agent is connected.",
                [({}, sum(bool(p.get("connected")) for p in shown))],
            ),
            _family("meshconsole_proxies", "gauge", "Proxies by sync state.", [({"state": s}, n) for s, n in sorted(states.items())]),
            _family(
                "meshconsole_workloads",
                "gauge",
                "Workloads by health.",
                [({"healthy": str(h).lower()}, n) for h, n in sorted(healthy.items())],
            ),
            _family("meshconsole_configuration_revision", "counter", "The newest revision.", [({}, revision)]),
        ]
    )


def _family(name: str, type_: str, text: str, samples: list[tuple[dict[str, str], float]]) -> str:
    lines = [f"# HELP {name} {text}", f"# TYPE {name} {type_}"]
    for labels, value in samples:
        inside = ",".join(f'{k}="{_escape(v)}"' for k, v in labels.items())
        lines.append(f"{name}{{{inside}}} {value}" if inside else f"{name} {value}")
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
