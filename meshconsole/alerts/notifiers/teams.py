"""Microsoft Teams, by a workflow "when a webhook request is received", as an Adaptive Card."""

import orjson

from meshconsole.core.policies.notification_channel import Teams

from .. import outbound
from ..notice import Notice
from .base import Notifier, url_secret_fault

COLOURS = {"critical": "Attention", "error": "Attention", "warning": "Warning", "info": "Accent"}


class TeamsNotifier(Notifier):
    name = "teams"
    title = "Microsoft Teams"
    secret = "The URL of a workflow that posts to a channel when a webhook request is received"  # noqa: S105

    def secret_fault(self, secret: str) -> str:
        return url_secret_fault(secret, "a workflow's address")

    def notify(self, notice: Notice, spec: Teams, secret: str) -> None:
        outbound.post(secret, orjson.dumps(message(notice)), secret=secret)


def message(notice: Notice) -> dict[str, object]:
    colour = "Good" if notice.event == "resolve" else COLOURS.get(notice.severity, "Default")
    facts = [{"title": k, "value": str(v)} for k, v in sorted(notice.labels.items())]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {"type": "TextBlock", "size": "Medium", "weight": "Bolder", "color": colour, "text": notice.title, "wrap": True},
            *({"type": "TextBlock", "text": line, "wrap": True} for line in notice.lines),
            {"type": "FactSet", "facts": facts},
        ],
        "actions": [{"type": "Action.OpenUrl", "title": title, "url": href} for title, href in list(notice.links.items())[:6]],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


NOTIFIER = TeamsNotifier()
