"""
Posts to addresses that users name, through the console's guard: public addresses only, or those of ALERT_ALLOWED_NETWORKS; no redirects, bounded
answers.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpcore
from django.conf import settings

from meshconsole import holding, outbound

from .notifiers.base import NotifyError

TIMEOUT = 10.0
ALTOGETHER = 20.0
"""Seconds for a whole exchange: less than the task that sends what is due has."""
MOST = 64 * 1024
"""Bytes of an answer that are looked at."""
PERMANENT = frozenset(range(400, 500)) - {408, 409, 423, 425, 429}
"""Answers that will not get better by asking again."""


class Refused(NotifyError):
    """The address is none that may be spoken to."""

    def __init__(self, text: str) -> None:
        super().__init__(text, permanent=True)


def allowed(address: str) -> bool:
    return outbound.allowed(address, settings.ALERT_ALLOWED_NETWORKS)


@contextmanager
def held() -> Iterator[None]:
    """Around a library that connects by itself. Raises NotifyError."""
    try:
        with holding.only(allowed):
            yield
    except outbound.NotAllowed as e:
        raise _refused(e) from None
    except holding.Started as e:
        raise NotifyError(f"it starts a program ({e}), which is not allowed", permanent=True) from None


def _refused(e: outbound.NotAllowed) -> Refused:
    return Refused(f"{e.host} is a private address; ALERT_ALLOWED_NETWORKS must name its network before messages go there")


def post(url: str, body: bytes, headers: Mapping[str, str] | None = None, *, secret: str = "") -> tuple[int, bytes]:
    """The answer's status and body, when it is a success. Raises NotifyError; `secret` is kept out of its text."""
    sent = [("content-type", "application/json"), ("user-agent", "meshconsole"), *(headers or {}).items()]
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), TIMEOUT)
    try:
        with (
            httpcore.ConnectionPool(network_backend=outbound.Guarded(allowed, ALTOGETHER)) as pool,
            pool.stream("POST", url, headers=sent, content=body, extensions={"timeout": timeouts}) as answer,
        ):
            said, status = b"", answer.status
            for chunk in answer.iter_stream():
                said += chunk
                if len(said) > MOST:
                    break
    except outbound.NotAllowed as e:
        raise _refused(e) from None
    except outbound.Unresolved as e:
        raise NotifyError(str(e)) from None
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError) as e:
        raise NotifyError(redacted(f"no answer: {type(e).__name__} {e}".strip(), secret)) from None
    except (httpcore.UnsupportedProtocol, ValueError, TypeError) as e:
        raise NotifyError(redacted(f"not an address to post to: {e}", secret), permanent=True) from None
    if not 200 <= status < 300:
        text = said[:300].decode(errors="replace").strip()
        raise NotifyError(
            redacted(f"answered {status}{': ' + text if text else ''}", secret), permanent=status in PERMANENT or status < 400
        )
    return status, said


def redacted(text: str, secret: str) -> str:
    return text.replace(secret, "…") if len(secret) >= 4 else text
