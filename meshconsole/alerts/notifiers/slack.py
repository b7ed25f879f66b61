"""Slack, by an incoming webhook."""

import orjson

from meshconsole.core.policies.notification_channel import Slack

from .. import outbound
from ..notice import Notice
from .base import Notifier, url_secret_fault

COLOURS = {"critical": "#dc3b3b", "error": "#dc3b3b", "warning": "#d98a0b", "info": "#3867e3"}
OVER = "#1f9d61"


class SlackNotifier(Notifier):
    name = "slack"
    title = "Slack"
    secret = "The URL of an incoming webhook: https://hooks.slack.com/services/…"  # noqa: S105

    def secret_fault(self, secret: str) -> str:
        return url_secret_fault(secret, "an incoming webhook")

    def notify(self, notice: Notice, spec: Slack, secret: str) -> None:
        outbound.post(secret, orjson.dumps(message(notice)), secret=secret)


def message(notice: Notice) -> dict[str, object]:
    text = "\n".join(_escaped(line) for line in notice.lines)
    links = " · ".join(f"<{href}|{title}>" for title, href in notice.links.items())
    blocks = [
        {"type": "section", "text": {"type": "mrkdwn", "text": f"*{_escaped(notice.title)}*\n{text}"[:3000]}},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": links[:3000] or "Meshconsole"}]},
    ]
    colour = OVER if notice.event == "resolve" else COLOURS.get(notice.severity, COLOURS["info"])
    return {"text": f"{_escaped(notice.title)}: {_escaped(notice.summary)}"[:3000], "attachments": [{"color": colour, "blocks": blocks}]}


def _escaped(text: str) -> str:
    """Slack's three characters; what a service is named must not become a link or a mention."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


NOTIFIER = SlackNotifier()
