"""What is registered: one row per workload, with what its agent (or platform) said of it."""

from django.db import models


class Head(models.Model):
    """One row whose number grows with each change of the registry, so that one small query tells whether there is news."""

    number = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"registry {self.number}"


class WorkloadRecord(models.Model):
    """One workload. Its name is claimed by the first identity that comes with it, until it goes."""

    platform = models.CharField(max_length=20, default="agents")
    namespace = models.CharField(max_length=63)
    name = models.CharField(max_length=253)
    service_account = models.CharField(max_length=253)
    spec = models.JSONField()
    """`proxyagent.protocol.Workload`."""
    group = models.CharField(max_length=253, blank=True, default="")
    """The WorkloadGroup of its namespace that it is a member of."""
    said = models.JSONField(default=dict)
    """What the agent of a member says itself; `spec` is that with what the group says."""
    healthy = models.BooleanField(default=True)
    health_reason = models.CharField(max_length=300, blank=True)
    version = models.BigIntegerField()
    """The registry's number at its last change: a row with a known version need not be read again."""
    created = models.DateTimeField()
    seen = models.DateTimeField()
    """When its agent last connected or said something of it."""
    lost = models.DateTimeField(null=True)
    """When its agent vanished without a goodbye; None while it is connected."""

    class Meta:
        ordering = ["namespace", "name"]
        constraints = [models.UniqueConstraint(fields=["namespace", "name"], name="one_workload_per_name")]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"
