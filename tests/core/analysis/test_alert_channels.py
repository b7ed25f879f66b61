"""Rules tell channels that exist."""

from meshconsole.core import analysis, policies
from meshconsole.core.mesh.model import MeshConfig

RULE = """
apiVersion: meshconsole.io/v1
kind: AlertRule
metadata: {name: r}
spec: {condition: {nack: {}}, channels: [oncall, ops/oncall]}
"""
CHANNEL = """
---
apiVersion: meshconsole.io/v1
kind: NotificationChannel
metadata: {name: oncall, namespace: %s}
spec: {pagerduty: {}}
"""


def found(text):
    return [(m.code, m.path) for m in analysis.analyze(policies.parse(text)[0], None, MeshConfig())]


def test_a_channel_that_is_not_there_is_warned_of():
    assert found(RULE) == [("IST0101", "spec.channels[0]"), ("IST0101", "spec.channels[1]")]
    assert found(RULE + CHANNEL % "default") == [("IST0101", "spec.channels[1]")]


def test_channels_that_are_there_are_not():
    assert found(RULE + CHANNEL % "default" + CHANNEL % "ops") == []
