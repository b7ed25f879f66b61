"""What is known of the proxies: which hub holds each, and what its Envoy has taken. Written by the hubs, in batches."""

from django.db import models


class HubRecord(models.Model):
    """One web process that holds agents. Without a beat it is dead, and so are its connections."""

    id = models.CharField(primary_key=True, max_length=32)
    started = models.DateTimeField()
    beat = models.DateTimeField()
    revision = models.BigIntegerField(default=0)
    """The newest revision that it has compiled for all its proxies: one that is in sync has taken everything up to it."""
    place = models.CharField(max_length=200, blank=True)
    """Machine, boot and process namespace: who starts in the same place can see whether `pid` still runs."""
    pid = models.IntegerField(default=0)

    def __str__(self) -> str:
        return f"hub {self.id}"


class ProxyRecord(models.Model):
    """One proxy, connected or not."""

    class State(models.TextChoices):
        SYNCED = "SYNCED"
        STALE = "STALE"
        """A push is under way, or its answer is awaited."""
        NACKED = "NACKED"
        NEVER_CONNECTED = "NEVER_CONNECTED"

    id = models.CharField(primary_key=True, max_length=320)
    """`<namespace>/<name>`."""
    namespace = models.CharField(max_length=63, db_index=True)
    name = models.CharField(max_length=253)
    kind = models.CharField(max_length=10, default="sidecar")
    service_account = models.CharField(max_length=253, blank=True)
    hub = models.CharField(max_length=32, blank=True, db_index=True)
    """Empty: not connected."""
    connected = models.BooleanField(default=False)
    since = models.DateTimeField(null=True)
    """When it connected, or when it was lost."""
    address = models.CharField(max_length=64, blank=True)
    agent_version = models.CharField(max_length=40, blank=True)
    envoy_version = models.CharField(max_length=80, blank=True)
    serial = models.CharField(max_length=40, blank=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.NEVER_CONNECTED)
    problems = models.JSONField(default=dict)
    """What was refused, per xDS type: {"error", "policies"}."""
    resources = models.JSONField(default=dict)
    """How many it shall hold, per xDS type."""
    acked_at = models.DateTimeField(null=True)
    told = models.CharField(max_length=32, blank=True)
    """Digest of the aliases that the agent knows: its own digest does not cover them."""
    bundle = models.CharField(max_length=32, blank=True)
    """Digest of the trust bundle that its Envoy has taken: one that comes back need not be sent it again."""
    taken = models.CharField(max_length=40, blank=True)
    """Serial of the certificate that its Envoy has taken; `serial` may be newer."""
    hosts = models.JSONField(default=list)
    """Its demand: authorities …"""
    clusters = models.JSONField(default=list)
    """… and clusters."""
    pending_from = models.BigIntegerField(null=True)
    """The oldest revision that changed its configuration and that it has not taken; None when it is in sync."""
    pending_to = models.BigIntegerField(null=True)
    """The newest such one."""
    taken_from = models.BigIntegerField(null=True)
    """The revisions that its last ACK was about: it was concerned by them."""
    taken_to = models.BigIntegerField(null=True)
    synced_revision = models.BigIntegerField(default=0)
    """The newest revision that it is known to have taken; for one in sync, its hub's revision counts."""
    nacked_revision = models.BigIntegerField(null=True)
    envoy_running = models.BooleanField(null=True)
    envoy_restarts = models.PositiveIntegerField(default=0)
    envoy_reason = models.CharField(max_length=300, blank=True)
    unbound = models.JSONField(default=dict)
    """Outbound listeners that it goes without, since its host has no place for them -> why."""

    class Meta:
        ordering = ["namespace", "name"]

    def __str__(self) -> str:
        return self.id
