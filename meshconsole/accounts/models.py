"""People, what they may do in which namespace, how they prove who they are, their API tokens, and the audit log."""

import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.crypto import salted_hmac
from django.utils.functional import cached_property


class User(AbstractUser):
    """Someone who logs in. A superuser may do everything everywhere; anyone else what their grants say."""

    subject = models.CharField(max_length=600, unique=True, null=True, blank=True)
    """Who this is at the single sign-on provider: its issuer, a space, its `sub`. None: a local account."""
    epoch = models.PositiveIntegerField(default=0)
    """Raised by 'sign out everywhere': sessions of an earlier epoch are over."""

    @cached_property
    def roles(self) -> dict[str, str]:
        """Namespace -> role, read once per request."""
        return dict(self.grants.values_list("namespace", "role"))

    def _get_session_auth_hash(self, secret: Any = None) -> str:
        """Django's, which ends sessions when the password changes; and ours, when the epoch does."""
        return salted_hmac("meshconsole.accounts.session", f"{self.password} {self.epoch}", secret=secret, algorithm="sha256").hexdigest()


class Role(models.TextChoices):
    VIEWER = "viewer"
    EDITOR = "editor"
    ADMIN = "admin"


class Grant(models.Model):
    """One person's role in one namespace; `*` is the whole mesh."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="grants")
    namespace = models.CharField(max_length=63)
    role = models.CharField(max_length=10, choices=Role.choices)
    source = models.CharField(max_length=10, blank=True, default="")
    """`sso`: by a group at the single sign-on provider, and taken away when the group is. Empty: by an admin here."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "namespace"], name="one_role_per_namespace")]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} of {self.namespace}"


class Attempts(models.Model):
    """Guesses at one door: what is counted (an account, an address, both) as a digest, for people type passwords where names belong."""

    key = models.CharField(max_length=64, primary_key=True)
    account = models.CharField(max_length=64, db_index=True, blank=True)
    """Digest of the account that it is about, so that an admin can lift its waits."""
    failures = models.PositiveIntegerField(default=0)
    last = models.DateTimeField(db_index=True)
    until = models.DateTimeField(null=True)
    """Not looked at before this."""

    def __str__(self) -> str:
        return f"{self.failures} failures"


class SignedIn(models.Model):
    """One browser that is signed in."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="signed_in")
    session_key = models.CharField(max_length=40, unique=True)
    started = models.DateTimeField()
    address = models.CharField(max_length=64, blank=True)
    agent = models.CharField(max_length=300, blank=True)
    """The browser's User-Agent: anybody may write anything there."""

    class Meta:
        ordering = ["-started"]

    def __str__(self) -> str:
        return f"{self.user} since {self.started:%Y-%m-%d %H:%M}"


class SecondFactor(models.Model):
    """An authenticator app's secret (TOTP, RFC 6238), encrypted at rest. It counts once a first code has confirmed it."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="second_factor")
    sealed = models.BinaryField()
    created = models.DateTimeField()
    confirmed = models.DateTimeField(null=True)
    last_step = models.BigIntegerField(default=0)
    """The newest time step whose code was taken: no code is taken twice (RFC 6238, 5.2)."""

    def __str__(self) -> str:
        return f"second factor of {self.user}"


class RecoveryCode(models.Model):
    """A way in once, for who lost the authenticator. Only a digest is kept: a code has 80 random bits."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="recovery_codes")
    digest = models.CharField(max_length=64)
    used = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "digest"], name="one_row_per_recovery_code")]

    def __str__(self) -> str:
        return f"recovery code of {self.user}"


class Passkey(models.Model):
    """A WebAuthn credential: a public key whose private half never leaves the authenticator."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="passkeys")
    name = models.CharField(max_length=100)
    credential = models.CharField(max_length=1400, unique=True)
    """The credential's id, base64url."""
    public_key = models.BinaryField()
    sign_count = models.BigIntegerField(default=0)
    created = models.DateTimeField()
    last_used = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


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
