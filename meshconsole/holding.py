"""
The same guard as outbound.py, for a library that opens its connections itself: whatever it does within `only(may)`, each address is looked at
when the socket connects. Names that answer otherwise the second time and redirects gain nothing.

Python's audit events are the one place that every connection passes, whichever HTTP client a plugin uses. A thread that is started there is
held likewise, for as long as it lives; a program would be outside of what is held here, so none can be started.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from . import outbound

_SPOKEN = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_LEFT = frozenset({"subprocess.Popen", "os.system", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec"})
_WATCHED = _SPOKEN | _LEFT


class Started(Exception):
    """A program was to be started: nobody would look at what it connects to."""


_here = threading.local()
_lock = threading.Lock()
_installed = False


@contextmanager
def only(may: Callable[[str], bool]) -> Iterator[None]:
    """Connections of this thread go where `may` says, for as long as the block lasts. Raises outbound.NotAllowed or Started from within."""
    _install()
    before = getattr(_here, "may", None)
    _here.may = may
    try:
        yield
    finally:
        _here.may = before


def _install() -> None:
    """Once per process: an audit hook cannot be taken off again."""
    global _installed
    with _lock:
        if not _installed:
            sys.addaudithook(_heard)
            threading.Thread.start = _start  # type: ignore[assignment, method-assign]
            _installed = True


_begin = threading.Thread.start


def _start(thread: threading.Thread) -> None:
    may, run = getattr(_here, "may", None), thread.run

    def held() -> None:
        _here.may = may
        run()

    if may is not None:
        thread.run = held  # type: ignore[method-assign]
    _begin(thread)


def _heard(event: str, args: tuple[Any, ...]) -> None:
    if event not in _WATCHED or (may := getattr(_here, "may", None)) is None:
        return
    if event in _LEFT:
        raise Started(event)
    to = args[1]
    if to is None:  # sendmsg on a socket that is connected, and was looked at then
        return
    host = to[0] if isinstance(to, tuple) and to else to
    try:
        allowed = isinstance(host, str) and may(host)
    except ValueError:  # a name, which the socket would resolve by itself, or the path of a Unix socket
        allowed = False
    if not allowed:
        raise outbound.NotAllowed(str(host))
