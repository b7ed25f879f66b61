"""Incidents, silences, secrets of channels, and the outbox of messages. Each row that moves is claimed by compare-and-set."""

import datetime

from django.db import models


class Incident(models.Model):
    """One alert of one instance, from the moment its condition held to its end."""

    class State(models.TextChoices):
        PENDING = "pending"
        FIRING = "firing"
        RESOLVED = "resolved"

    kind = models.CharField(max_length=40)
    """AlertRule or ServiceLevelObjective."""
    namespace = models.CharField(max_length=63, db_index=True)
    rule = models.CharField(max_length=253)
    rule_uid = models.CharField(max_length=36)
    condition = models.CharField(max_length=40)
    instance = models.CharField(max_length=500)
    severity = models.CharField(max_length=10)
    labels = models.JSONField(default=dict)
    channels = models.JSONField(default=list)
    summary = models.TextField()
    description = models.TextField(blank=True)
    runbook = models.CharField(max_length=500, blank=True)
    value = models.FloatField(null=True)
    state = models.CharField(max_length=10, choices=State.choices)
    open = models.BooleanField(default=True, null=True)
    """True, or null once it is over: one open incident per instance, whatever the database."""
    version = models.BigIntegerField(default=0)
    """Counts the moves: a move is made only from the version that it was decided on."""
    since = models.DateTimeField()
    """When the condition began to hold."""
    fired = models.DateTimeField(null=True)
    resolved = models.DateTimeField(null=True, db_index=True)
    clear_since = models.DateTimeField(null=True)
    acknowledged = models.DateTimeField(null=True)
    acknowledged_by = models.CharField(max_length=150, blank=True)
    announced = models.DateTimeField(null=True)
    """When its channels were first told, that is: when the messages were put into the outbox. Null while it is silenced."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rule_uid", "severity", "instance", "open"], name="one_open_incident_per_instance")]
        ordering = ["-since", "-pk"]
        indexes = [models.Index(fields=["open", "state"], name="incidents_open")]

    def __str__(self) -> str:
        return f"{self.rule} {self.instance} ({self.state})"

    @property
    def dedup_key(self) -> str:
        """One for all messages about this incident, stable over retries and restarts; its time tells it from one of a database before this one."""
        return f"meshconsole/{self.namespace}/{self.rule}/{self.pk}-{int(self.since.timestamp())}"


class Silence(models.Model):
    """Nobody is told of alerts that bear all these labels, for a time: a maintenance window."""

    namespace = models.CharField(max_length=63)
    """Where it holds; `*` everywhere."""
    matchers = models.JSONField()
    """Label -> value; `rule`, `instance` and `severity` count as labels."""
    starts = models.DateTimeField()
    ends = models.DateTimeField(db_index=True)
    author = models.CharField(max_length=150)
    comment = models.TextField(blank=True)
    created = models.DateTimeField()

    class Meta:
        ordering = ["-ends", "-pk"]

    def __str__(self) -> str:
        return f"silence {self.pk} until {self.ends:%Y-%m-%d %H:%M}"

    def holds(self, now: datetime.datetime) -> bool:
        return self.starts <= now < self.ends

    def matches(self, incident: Incident) -> bool:
        if self.namespace not in ("*", incident.namespace):
            return False
        own = {**incident.labels, "rule": incident.rule, "instance": incident.instance, "severity": incident.severity}
        return all(own.get(label) == value for label, value in self.matchers.items())


class ChannelSecret(models.Model):
    """What a channel needs and nobody may read: sealed by sealing.py for this very channel, way and address."""

    namespace = models.CharField(max_length=63)
    name = models.CharField(max_length=253)
    sealed = models.BinaryField()
    set_at = models.DateTimeField()
    set_by = models.CharField(max_length=150)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["namespace", "name"], name="one_secret_per_channel")]

    def __str__(self) -> str:
        return f"the secret of {self.namespace}/{self.name}"


class Group(models.Model):
    """Alerts that one channel is told of together, from the first of them to the end of the last."""

    channel = models.CharField(max_length=320)
    key = models.CharField(max_length=64)
    """A hash of the values of the labels that it is grouped by."""
    open = models.BooleanField(default=True, null=True)
    """True, or null once all are over: one open group per channel and values."""
    members = models.ManyToManyField(Incident, related_name="groups")
    begun = models.DateTimeField()
    told = models.DateTimeField(null=True)
    """When its newest message was due; the next one waits for the channel's interval."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["channel", "key", "open"], name="one_open_group_per_values")]

    def __str__(self) -> str:
        return f"group {self.pk} of {self.channel}"

    @property
    def dedup_key(self) -> str:
        """As an incident's: one for all messages, stable over retries and restarts."""
        return f"meshconsole/{self.channel}/group-{self.pk}-{int(self.begun.timestamp())}"


class Delivery(models.Model):
    """One message to one channel, until it is taken. Written in the transaction of the move that it tells of: none is lost."""

    class State(models.TextChoices):
        WAITING = "waiting"
        CLAIMED = "claimed"
        """A worker is at it; when its lease is over, another one may be."""
        SENT = "sent"
        FAILED = "failed"
        """Given up: refused for good, or tried too often."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, null=True, related_name="deliveries")
    """Null: a test message, or one of a group."""
    group = models.ForeignKey(Group, on_delete=models.CASCADE, null=True, related_name="deliveries")
    channel = models.CharField(max_length=320, db_index=True)
    """`<namespace>/<name>`."""
    event = models.CharField(max_length=12)
    """trigger, acknowledge, resolve or test."""
    notice = models.JSONField()
    """What to say, as it was when it happened."""
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    due = models.DateTimeField()
    """Not before this."""
    lease = models.DateTimeField(null=True)
    """Until then its claim holds."""
    claim = models.CharField(max_length=32, blank=True)
    log = models.JSONField(default=list)
    """Its attempts: {at, error}; the newest last."""
    created = models.DateTimeField()
    sent = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(fields=["incident", "channel", "event"], name="one_message_per_event")]
        indexes = [models.Index(fields=["state", "due"], name="deliveries_due")]

    def __str__(self) -> str:
        return f"{self.event} to {self.channel} ({self.state})"

    @property
    def error(self) -> str:
        return str(self.log[-1].get("error", "")) if self.log else ""
