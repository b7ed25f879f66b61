"""E-mail, by Django and the server that EMAIL_URL names. Messages about one incident are one thread."""

import smtplib

from django.conf import settings
from django.core.mail import EmailMessage

from meshconsole.core.policies.notification_channel import Email

from ..notice import Notice
from .base import Notifier, NotifyError


class EmailNotifier(Notifier):
    name = "email"
    title = "E-mail"

    def problem(self) -> str:
        return "" if settings.EMAIL_CONFIGURED else "EMAIL_URL is not set: the console knows no mail server"

    def notify(self, notice: Notice, spec: Email, secret: str) -> None:
        if problem := self.problem():
            raise NotifyError(problem, permanent=True)
        try:
            message(notice, spec.to).send()
        except smtplib.SMTPRecipientsRefused as e:
            raise NotifyError(f"refused for {', '.join(e.recipients)}", permanent=True) from e
        except (smtplib.SMTPException, OSError) as e:
            raise NotifyError(f"{type(e).__name__}: {e}"[:300]) from e


def message(notice: Notice, to: list[str]) -> EmailMessage:
    parts = [*notice.lines, "", *(f"{k}: {v}" for k, v in sorted(notice.labels.items())), ""]
    parts += [f"{title}: {href}" for title, href in notice.links.items()]
    thread = f"<{notice.dedup_key.replace('/', '.')}@meshconsole>"
    headers = {"Message-ID": f"<{notice.id}@meshconsole>", "References": thread, "Auto-Submitted": "auto-generated"}
    subject = " ".join(f"{notice.title} {notice.summary}".split())[:200]  # a header has one line
    return EmailMessage(subject, "\n".join(parts), settings.DEFAULT_FROM_EMAIL, to, headers=headers)


NOTIFIER = EmailNotifier()
