"""
Secrets out of log lines, whoever writes them: every record of this process passes here when it is made, those of libraries too.

Not a licence to log secrets: a net below for what slips through (a URL in an access log, a header in a library's debug line, an exception's text).
"""

import logging
import re
from collections.abc import Mapping
from typing import Any

_SECRETS = re.compile(
    r"(?P<token>\b(?:msh|mjt)_)[A-Za-z0-9_\-]{8,}"
    r"|(?P<scheme>\b(?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=\-]{8,}"
    r"|(?P<invitation>/welcome/[^/\s]+/)[A-Za-z0-9\-]{8,}"
    r"|(?P<userinfo>://[^\s/:@]+:)[^\s/@]+(?=@)"
    r"|(?P<field>\b(?:password|passwd|client_secret|code_verifier|id_token|access_token|refresh_token)[\"']?\s*[=:]\s*[\"']?"
    r"|\b(?:code|secret|sessionid|csrftoken)=)"
    r"[^\s&\"',;}]{4,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)",
    re.IGNORECASE | re.DOTALL,
)
_HINTS = ("msh_", "mjt_", "earer", "asic ", "welcome/", "@", "assw", "ASSW", "ecret", "token", "code", "session", "csrf", "PRIVATE KEY")


def redacted(text: str) -> str:
    """`text` with what looks like a secret replaced; quick for the many lines that hold none."""
    if not any(hint in text for hint in _HINTS):
        return text
    return _SECRETS.sub(lambda m: f"{next((g for g in m.groups() if g), '')}…", text)


def _argument(value: Any) -> Any:
    return redacted(value) if isinstance(value, str) else redacted(str(value)) if isinstance(value, BaseException) else value


def install() -> None:
    """Once per process: later calls change nothing."""
    before = logging.getLogRecordFactory()
    if getattr(before, "redacts", False):
        return

    def factory(*args: Any, **more: Any) -> logging.LogRecord:
        record = before(*args, **more)
        if isinstance(record.msg, str):
            record.msg = redacted(record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(map(_argument, record.args))
        elif isinstance(record.args, Mapping):
            record.args = {key: _argument(value) for key, value in record.args.items()}
        if record.exc_info and record.exc_info[1] is not None and record.exc_text is None:
            record.exc_text = redacted(logging.Formatter().formatException(record.exc_info))
        return record

    factory.redacts = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(factory)
