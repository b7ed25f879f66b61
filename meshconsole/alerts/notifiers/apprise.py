"""Everything else, by the library apprise: Telegram, Matrix, Opsgenie, ntfy, Discord, Pushover and a hundred more."""

import logging

from meshconsole.core.policies.notification_channel import Apprise

from .. import outbound
from ..notice import Notice
from .base import Notifier, NotifyError

HOSTS = {"dbus", "kde", "qt", "glib", "gio", "gnome", "macosx", "windows", "syslog", "rsyslog", "blink1", "evolution", "growl", "file"}
OTHERS = {"mqtt", "mqtts", "amqp", "amqps", "smpp", "smpps", "irc", "ircs", "xmpp", "xmpps", "deltachat"}
NATIVE = frozenset(HOSTS | OTHERS)
"""Ways that act on the console's own host, or speak no HTTP that could be held to public addresses."""


class AppriseNotifier(Notifier):
    name = "apprise"
    title = "Apprise"
    secret = "An URL of apprise, like tgram://bottoken/chatid"  # noqa: S105

    def secret_fault(self, secret: str) -> str:
        try:
            _plugin(secret)
        except NotifyError as e:
            return str(e)
        return ""

    def notify(self, notice: Notice, spec: Apprise, secret: str) -> None:
        import apprise  # a hundred modules: only where it is used

        plugin = _plugin(secret)
        kind = {"resolve": apprise.NotifyType.SUCCESS, "acknowledge": apprise.NotifyType.INFO, "test": apprise.NotifyType.INFO}
        level = kind.get(notice.event) or (
            apprise.NotifyType.FAILURE if notice.severity in ("critical", "error") else apprise.NotifyType.WARNING
        )
        lines = [*notice.lines, *(f"{title}: {href}" for title, href in notice.links.items())]
        with outbound.held():  # it resolves names and follows redirects by itself
            taken = plugin.notify(title=notice.title, body="\n".join(lines), notify_type=level)
        if not taken:
            raise NotifyError(f"{plugin.service_name} did not take it")


def _plugin(url: str):  # type: ignore[no-untyped-def]
    import apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # its lines hold addresses with tokens
    scheme = url.partition("://")[0].lower()
    if scheme in NATIVE:
        raise NotifyError(f"{scheme}:// acts on the console's own host or speaks no HTTP; it is not allowed", permanent=True)
    plugin = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    if plugin is None:
        raise NotifyError("apprise does not know this URL", permanent=True)
    return plugin


NOTIFIER = AppriseNotifier()
