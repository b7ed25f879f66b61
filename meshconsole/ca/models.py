"""What the certificate authority keeps: its own keys (encrypted), every certificate that it issued, and join tokens (hashed)."""

import datetime

from django.db import models


class TrustRoot(models.Model):
    """
    One root certificate and the intermediate that signs for it.

    Workloads trust the root; the intermediate's key is the one in daily use, and can be replaced without touching the bundle.
    """

    class State(models.TextChoices):
        PENDING = "pending"
        """In every bundle, signs nothing yet."""
        ACTIVE = "active"
        RETIRING = "retiring"
        """In every bundle, signs nothing any more."""

    generation = models.PositiveIntegerField(unique=True)
    """1, 2, …: unique, so that of several processes at the first start one makes the root and the others read it."""
    state = models.CharField(max_length=10, choices=State.choices)
    certificate = models.TextField()
    """PEM."""
    sealed_key = models.BinaryField()
    """The root's key, sealed by keystore.py."""
    issuer_certificate = models.TextField()
    """PEM of the intermediate."""
    sealed_issuer_key = models.BinaryField()
    created = models.DateTimeField()
    not_after = models.DateTimeField()
    issuer_not_after = models.DateTimeField()

    class Meta:
        ordering = ["generation"]

    def __str__(self) -> str:
        return f"root {self.generation} ({self.state})"


class Issued(models.Model):
    """One workload certificate."""

    serial = models.CharField(max_length=40, unique=True)
    """Lower-case hexadecimal, without leading zeros."""
    root = models.ForeignKey(TrustRoot, on_delete=models.PROTECT, related_name="issued")
    identity = models.CharField(max_length=500)
    """The SPIFFE id."""
    namespace = models.CharField(max_length=63)
    service_account = models.CharField(max_length=253)
    proxy_id = models.CharField(max_length=320, db_index=True)
    subject = models.JSONField(default=dict)
    """The workload's facts in the subject: what is compared at each hello to see whether a new certificate is due."""
    certificate = models.TextField()
    """PEM of the leaf."""
    created = models.DateTimeField()
    not_before = models.DateTimeField()
    not_after = models.DateTimeField(db_index=True)
    renew_at = models.DateTimeField()
    revoked = models.DateTimeField(null=True)
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-created", "-pk"]

    def __str__(self) -> str:
        return f"{self.serial} for {self.proxy_id}"


class JoinToken(models.Model):
    """What lets an agent ask for its first certificate, for one namespace and service account."""

    digest = models.CharField(max_length=64, unique=True)
    """SHA-256 of the plaintext, which is shown once and never stored. 256 random bits need no slow hash."""
    hint = models.CharField(max_length=12)
    """The plaintext's first characters, to tell tokens apart."""
    namespace = models.CharField(max_length=63)
    service_account = models.CharField(max_length=253)
    created = models.DateTimeField()
    created_by = models.CharField(max_length=150, blank=True)
    expires = models.DateTimeField()
    uses_left = models.PositiveIntegerField(null=True)
    """None: any number of times until it expires."""
    used = models.PositiveIntegerField(default=0)
    last_used = models.DateTimeField(null=True)
    revoked = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created", "-pk"]

    def __str__(self) -> str:
        return f"{self.hint}… for {self.namespace}/{self.service_account}"

    def alive(self, now: datetime.datetime) -> bool:
        return self.revoked is None and self.expires > now and self.uses_left != 0
