"""People, what they may do in which namespace, their API tokens, and the audit log."""

import datetime

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.functional import cached_property


class User(AbstractUser):
    """Someone who logs in. A superuser may do everything everywhere; anyone else what their grants say."""

    @cached_property
    def roles(self) -> dict[str, str]:
        """Namespace -> role, read once per request."""
        return dict(self.grants.values_list("namespace", "role"))


class Role(models.TextChoices):
    VIEWER = "viewer"
    EDITOR = "editor"
    ADMIN = "admin"


class Grant(models.Model):
    """One person's role in one namespace; `*` is the whole mesh."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="grants")
    namespace = models.CharField(max_length=63)
    role = models.CharField(max_length=10, choices=Role.choices)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "namespace"], name="one_role_per_namespace")]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} of {self.namespace}"


class ApiToken(models.Model):
    """A machine's key: it may do what its person may, within its scopes. Only a digest of the plaintext is kept."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True)
    """SHA-256 of the plaintext. Not a slow hash: the plaintext has 256 random bits, which nobody guesses."""
    hint = models.CharField(max_length=12)
    """The plaintext's first characters, so that its owner can tell which one it is."""
    created = models.DateTimeField()
    expires = models.DateTimeField(null=True)
    last_used = models.DateTimeField(null=True)
    revoked = models.DateTimeField(null=True)
    namespaces = models.JSONField(default=list)
    """Empty: every namespace of its person."""
    kinds = models.JSONField(default=list)
    """Empty: every kind."""
    verbs = models.JSONField(default=list)
    """Empty: every verb."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "name"], condition=models.Q(revoked=None), name="one_living_token_per_name"),
        ]

    def __str__(self) -> str:
        return self.name

    def alive(self, now: datetime.datetime) -> bool:
        return self.revoked is None and (self.expires is None or now < self.expires) and self.user.is_active


class AuditEntry(models.Model):
    """One thing that someone did. Entries are only ever added, by `audit.record`; each carries the hash of the one before."""

    number = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField(db_index=True)
    who = models.CharField(max_length=150, db_index=True)
    door = models.CharField(max_length=10)
    address = models.CharField(max_length=64, blank=True)
    action = models.CharField(max_length=40)
    object = models.CharField(max_length=600)
    diff = models.TextField(blank=True)
    previous = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)

    class Meta:
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.who} {self.action} {self.object}"


class AuditHead(models.Model):
    """The newest entry's number and hash: one row, locked while an entry is added, so that the chain has no forks."""

    number = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64, default="")

    def __str__(self) -> str:
        return f"audit entry {self.number}"
