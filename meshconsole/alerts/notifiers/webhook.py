"""A POST of JSON to an address of the user's own, signed: `Meshconsole-Signature: t=<unix seconds>,v1=<HMAC-SHA256 of "<t>.<body>">`."""

import hashlib
import hmac
import time

import orjson

from meshconsole.core.policies.notification_channel import Webhook

from .. import outbound
from ..notice import Notice
from .base import Notifier


class WebhookNotifier(Notifier):
    name = "webhook"
    title = "Webhook"
    secret = "The key of the signature: 16 characters or more, known to the receiver"  # noqa: S105

    def secret_fault(self, secret: str) -> str:
        return "" if len(secret) >= 16 else "the key of a signature has 16 characters or more"

    def notify(self, notice: Notice, spec: Webhook, secret: str) -> None:
        body = orjson.dumps({"id": notice.id, **notice.json()}, option=orjson.OPT_SORT_KEYS)
        at = int(time.time())
        headers = {"Idempotency-Key": notice.id, "Meshconsole-Signature": f"t={at},v1={signature(body, at, secret)}"}
        outbound.post(spec.url, body, headers, secret=secret)


def signature(body: bytes, at: int, key: str) -> str:
    return hmac.new(key.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()


NOTIFIER = WebhookNotifier()
