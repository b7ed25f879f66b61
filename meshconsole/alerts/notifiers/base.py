"""The seam of a notifier. One file here is one way out; its module names an instance NOTIFIER."""

from typing import Any, ClassVar

from ..notice import Notice


class NotifyError(Exception):
    """The message was not taken. `permanent`: trying again is pointless until somebody changes something."""

    def __init__(self, text: str, *, permanent: bool = False) -> None:
        super().__init__(text)
        self.permanent = permanent


class Notifier:
    name: ClassVar[str]
    """The field of NotificationChannel."""
    title: ClassVar[str]
    secret: ClassVar[str] = ""
    """What its secret is, for people; empty: it has none."""
    secret_required: ClassVar[bool] = True
    events: ClassVar[frozenset[str]] = frozenset({"trigger", "acknowledge", "resolve", "test"})
    """What it can tell; other events are not put into its outbox."""
    repeat: ClassVar[float | None] = None
    """Seconds after which a firing alert is told again, for receivers that forget."""

    def secret_fault(self, secret: str) -> str:
        """What is wrong with a secret that somebody sets; '' when it may be right."""
        return ""

    def problem(self) -> str:
        """What the console lacks for it; '' when nothing."""
        return ""

    def notify(self, notice: Notice, spec: Any, secret: str) -> None:
        """Returns when the receiver has taken it. Raises NotifyError."""
        raise TypeError(f"{type(self).__name__} tells nobody")


def url_secret_fault(secret: str, what: str) -> str:
    if not secret.startswith(("https://", "http://")) or any(c.isspace() for c in secret):
        return f"{what} is a URL that starts with https://"
    return ""
