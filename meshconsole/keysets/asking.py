"""
Asking a server for its keys, through the console's guard: the address is a user's. Public addresses only (unless JWKS_ALLOW_PRIVATE), at every
redirect too; little time, few bytes.
"""

import time
from urllib.parse import urljoin, urlsplit

import httpcore
from django.conf import settings

from meshconsole import outbound
from meshconsole.core.policies.request_authentication import key_fault

TIMEOUT = 5.0
"""Istio's, where a rule says nothing. For each step, and for all together."""
MOST = 256 * 1024
REDIRECTS = 3


class Unavailable(Exception):
    """Why there are no keys, in words for a user."""


def allowed(address: str) -> bool:
    return outbound.allowed(address, private=settings.JWKS_ALLOW_PRIVATE)


def keys(uri: str, timeout: float = TIMEOUT) -> str:
    """The key set that `uri` has now, within `timeout` seconds. Raises Unavailable."""
    end = time.monotonic() + timeout
    at = uri
    for _ in range(REDIRECTS + 1):
        if urlsplit(at).scheme not in ("http", "https"):
            raise Unavailable(f"{at[:200]} is not an http or https address")
        status, location, body = _get(at, end)
        if status in (301, 302, 303, 307, 308) and location:
            at = urljoin(at, location)
            continue
        if status != 200:
            raise Unavailable(f"answered {status}")
        try:
            text = body.decode()
        except UnicodeDecodeError:
            raise Unavailable("answered with something that is not text") from None
        if fault := key_fault(text):
            raise Unavailable(f"answered with something else than a key set: it {fault}")
        return text
    raise Unavailable(f"redirected more than {REDIRECTS} times")


def _get(uri: str, end: float) -> tuple[int, str, bytes]:
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), max(0.05, end - time.monotonic()))
    sent = [("accept", "application/json"), ("user-agent", "meshconsole")]
    try:
        with (
            httpcore.ConnectionPool(network_backend=outbound.Guarded(allowed, max(0.05, end - time.monotonic()))) as pool,
            pool.stream("GET", uri, headers=sent, extensions={"timeout": timeouts}) as answer,
        ):
            body = b""
            for chunk in answer.iter_stream():
                body += chunk
                if len(body) > MOST:
                    raise Unavailable(f"answered with more than {MOST} bytes")
                if time.monotonic() > end:
                    raise Unavailable("did not answer in time")
            location = next((v.decode("latin-1") for k, v in answer.headers if k.lower() == b"location"), "")
            return answer.status, location, body
    except outbound.NotAllowed as e:
        raise Unavailable(f"{e.host} is a private address; JWKS_ALLOW_PRIVATE must be set before the console asks there") from None
    except outbound.Unresolved as e:
        raise Unavailable(str(e)) from None
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError) as e:
        raise Unavailable(f"no answer: {type(e).__name__} {e}".strip()) from None
    except (httpcore.UnsupportedProtocol, ValueError, TypeError) as e:
        raise Unavailable(f"not an address to ask at: {e}") from None
