"""What the certificate authority keeps: its own keys (encrypted), every certificate that it issued, and join tokens (hashed)."""

import datetime

from django.db import models


class State(models.TextChoices):
    """Of an intermediate, and of its root: `rotation.py` tells what leads from one to the next."""

    REQUESTED = "requested"
    """An offline root shall sign it: there is a key and a request, and no certificate yet."""
    PENDING = "pending"
    """Its root is in every bundle that is handed out; it signs nothing yet."""
    ACTIVE = "active"
    RETIRING = "retiring"
    """Still in every bundle, signs nothing any more."""
    REMOVED = "removed"
    """Believed by nobody; its key is destroyed."""


class TrustRoot(models.Model):
    """One root certificate: what workloads believe."""

    State = State

    generation = models.PositiveIntegerField(unique=True)
    """1, 2, …: unique, so that of several processes at the first start one makes the root and the others read it."""
    state = models.CharField(max_length=10, choices=State.choices)
    """The foremost of its intermediates' states."""
    certificate = models.TextField()
    """PEM."""
    sealed_key = models.BinaryField()
    """The root's key, sealed by keystore.py. Empty: somebody else keeps it, or it was destroyed at removal."""
    source = models.CharField(max_length=10, default="own")
    """own, imported or offline."""
    created = models.DateTimeField()
    not_after = models.DateTimeField()

    class Meta:
        ordering = ["generation"]

    def __str__(self) -> str:
        return f"root {self.generation} ({self.state})"


class Intermediate(models.Model):
    """What signs leaves for a root. Its key is the one in daily use; it can be replaced without the root."""

    State = State

    number = models.PositiveIntegerField(unique=True)
    root = models.ForeignKey(TrustRoot, on_delete=models.PROTECT, related_name="intermediates", null=True)
    """None while only requested."""
    state = models.CharField(max_length=10, choices=State.choices)
    certificate = models.TextField(blank=True)
    """PEM."""
    chain = models.TextField(blank=True)
    """PEM of what stands between it and the root: nothing for our own."""
    request = models.TextField(blank=True)
    """PEM of the certificate request, where an offline root signs."""
    sealed_key = models.BinaryField()
    created = models.DateTimeField()
    created_by = models.CharField(max_length=150, blank=True)
    not_after = models.DateTimeField(null=True)
    bundle = models.PositiveIntegerField(default=0)
    """The first bundle that speaks of it: who holds that one, or a later one, takes its leaves."""
    activated = models.DateTimeField(null=True)
    retired = models.DateTimeField(null=True)
    removed = models.DateTimeField(null=True)
    forced_by = models.CharField(max_length=150, blank=True)
    """Who made it sign, or removed it, without waiting for everybody."""

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["state"], condition=models.Q(state="active"), name="one_active_intermediate"),
            models.UniqueConstraint(fields=["state"], condition=models.Q(state="pending"), name="one_pending_intermediate"),
        ]

    def __str__(self) -> str:
        return f"intermediate {self.number} ({self.state})"


class Bundle(models.Model):
    """What proxies are told to believe: roots, and what was revoked. A new one for each change, kept as it was sent."""

    number = models.PositiveIntegerField(unique=True)
    digest = models.CharField(max_length=32, db_index=True)
    """Of `pem`: what agents answer with. Two bundles of the same bytes have the same."""
    says = models.CharField(max_length=64)
    """Digest of what it is made of; a CRL's bytes differ each time that it is signed."""
    pem = models.TextField()
    """The roots' certificates, then, once anything is revoked, a CRL of each intermediate."""
    created = models.DateTimeField()

    class Meta:
        ordering = ["number"]

    def __str__(self) -> str:
        return f"bundle {self.number}"


class TrustHead(models.Model):
    """One row that grows with each change that connected proxies must hear of."""

    number = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"trust at {self.number}"


class Eviction(models.Model):
    """A workload that may not come back under this name until it is readmitted."""

    proxy_id = models.CharField(max_length=320, unique=True)
    namespace = models.CharField(max_length=63, db_index=True)
    at = models.DateTimeField()
    by = models.CharField(max_length=150, blank=True)
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.proxy_id} evicted"


class Issued(models.Model):
    """One workload certificate."""

    serial = models.CharField(max_length=40, unique=True)
    """Lower-case hexadecimal, without leading zeros."""
    root = models.ForeignKey(TrustRoot, on_delete=models.PROTECT, related_name="issued")
    issuer = models.ForeignKey(Intermediate, on_delete=models.PROTECT, related_name="issued")
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
    given_back = models.DateTimeField(null=True)
    """Its agent has said goodbye, and so nothing serves with it."""

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
