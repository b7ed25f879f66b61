"""What users have said, and when: resources as they stand, and the revisions that led there. Written by store.py only."""

import datetime
from typing import Any

from django.db import models

from meshconsole.core.resources.messages import Key


def rfc3339(at: datetime.datetime) -> str:
    """To the microsecond, where Kubernetes rounds to seconds: precedence is by age, and two files applied in one second have an order."""
    return at.astimezone(datetime.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Head(models.Model):
    """The newest revision's number: one row, locked by whoever writes, so that revisions are one line without gaps or forks."""

    revision = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"revision {self.revision}"


class Revision(models.Model):
    """One committed change of any number of resources."""

    number = models.BigIntegerField(primary_key=True)
    created = models.DateTimeField()
    author = models.CharField(max_length=150)
    door = models.CharField(max_length=10)
    """browser, token, cli or system."""
    from_address = models.CharField(max_length=64, blank=True)
    message = models.TextField(blank=True)

    class Meta:
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"revision {self.number}"


class Resource(models.Model):
    """One resource as it stands now."""

    group = models.CharField(max_length=100)
    version = models.CharField(max_length=20)
    kind = models.CharField(max_length=63)
    namespace = models.CharField(max_length=63)
    name = models.CharField(max_length=253)
    body = models.JSONField()
    """As its author wrote it, without what the store itself adds to `metadata`."""
    labels = models.JSONField(default=dict)
    created = models.DateTimeField()
    uid = models.CharField(max_length=36)
    generation = models.BigIntegerField(default=1)
    resource_version = models.BigIntegerField()
    """The revision that changed it last."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["group", "kind", "namespace", "name"], name="one_resource_per_key")]

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"

    @property
    def key(self) -> Key:
        return Key(self.group, self.kind, self.namespace, self.name)

    def manifest(self) -> dict[str, Any]:
        """The resource as the API shows it: its body, and what the store knows of it."""
        metadata = {
            **self.body["metadata"],
            "uid": self.uid,
            "resourceVersion": str(self.resource_version),
            "generation": self.generation,
            "creationTimestamp": rfc3339(self.created),
        }
        return {**self.body, "metadata": metadata}


class Change(models.Model):
    """What one revision did to one resource."""

    class Operation(models.TextChoices):
        CREATE = "create"
        UPDATE = "update"
        DELETE = "delete"

    revision = models.ForeignKey(Revision, on_delete=models.CASCADE, related_name="changes")
    group = models.CharField(max_length=100)
    kind = models.CharField(max_length=63)
    namespace = models.CharField(max_length=63)
    name = models.CharField(max_length=253)
    operation = models.CharField(max_length=6, choices=Operation.choices)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    resource_created = models.DateTimeField()
    """Kept here too: a deleted resource that is rolled back gets its age back, for precedence depends on it."""
    uid = models.CharField(max_length=36)
    generation = models.BigIntegerField()
    """The resource's generation after (for a deletion: before) this change."""

    class Meta:
        indexes = [models.Index(fields=["kind", "namespace", "name", "group"], name="history_of_a_resource")]

    def __str__(self) -> str:
        return f"{self.operation} {self.kind} {self.namespace}/{self.name}"

    @property
    def key(self) -> Key:
        return Key(self.group, self.kind, self.namespace, self.name)
