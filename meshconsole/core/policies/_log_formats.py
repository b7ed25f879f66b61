"""MeshConfig's access-log fields as what proxies write, and what is wrong with them."""

import json
import re
from collections.abc import Iterator, Mapping

from meshconsole.core.envoy.file_logs import LABELS, TEXT
from meshconsole.core.envoy.reporting import FileLog

_OPERATOR = re.compile(r"%[A-Z][A-Z0-9_]*(\([^%]*\))?(:[0-9]+)?%|%%")


def fault(text: str) -> str:
    """'' where Envoy's formatter will read it, as far as its form goes."""
    rest = _OPERATOR.sub("", text)
    return (
        ""
        if "%" not in rest
        else f"{rest[rest.index('%') :][:30]!r} is no command operator: they are written `%NAME%`, `%NAME(what)%`; `%%` is a percent sign"
    )


def labels(text: str) -> dict[str, str] | None:
    """Of an accessLogFormat with encoding JSON; None where it is no flat object of strings."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) and all(isinstance(value, str) for value in found.values()) else None


def problems(format_: str, json_: bool) -> Iterator[str]:
    if json_ and format_ and labels(format_) is None:
        yield "must be a JSON object of strings where accessLogEncoding is JSON"
    elif wrong := fault(format_):
        yield wrong


def file_log(
    path: str, text: str = "", fields: Mapping[str, str] | None = None, *, as_json: bool = False, omit_empty: bool = False
) -> FileLog:
    if fields or as_json:
        return FileLog(path, "", tuple(sorted(fields.items())) if fields else tuple(sorted(LABELS)), omit_empty)
    line = text or TEXT
    return FileLog(path, line if line.endswith("\n") else f"{line}\n", (), omit_empty)
