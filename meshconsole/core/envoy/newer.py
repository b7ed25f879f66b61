"""
Fields that Envoy has and the generated classes (xds-protos) have not yet: written and read as what protobuf does not know.

Numbers are those of the descriptors in Envoy 1.40 (tests/core/envoy/test_newer.py asks a real one). An entry goes when the classes have it.
"""

from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from .draft import Json

RETRY_BUDGET = "envoy.config.cluster.v3.CircuitBreakers.Thresholds.RetryBudget"
_INTERVAL = 3
_LENGTH_DELIMITED = 2


def append_interval(message: Message, interval: Duration) -> None:
    """RetryBudget.budget_interval"""
    data = interval.SerializeToString()
    message.MergeFromString(bytes((_INTERVAL << 3 | _LENGTH_DELIMITED, len(data))) + data)


def show(cluster: Any, body: Json) -> Json:
    """`body`, a Cluster as a dict, with what the classes did not know of it."""
    for threshold, said in zip(cluster.circuit_breakers.thresholds, body.get("circuit_breakers", {}).get("thresholds", ()), strict=False):
        for each in UnknownFieldSet(threshold.retry_budget) if "retry_budget" in said else ():
            if each.field_number == _INTERVAL:
                said["retry_budget"]["budget_interval"] = Duration.FromString(each.data).ToJsonString()
    return body
