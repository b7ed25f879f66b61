"""What Envoy has and the generated classes have not: a real Envoy reads it as it was meant."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from meshconsole.core.envoy import defaults, wire
from meshconsole.core.envoy.resource_set import XdsType
from tests.core.compiler.test_with_envoy import free_ports
from tests.golden import bootstrap

BODY = {
    **defaults.cluster("c"),
    "type": "STATIC",
    "circuit_breakers": {"thresholds": [{"retry_budget": {"budget_percent": {"value": 20}, "budget_interval": "90.5s"}}]},
}


def test_it_is_there_on_the_way_back():
    blob = wire.blob(XdsType.CDS, "c", BODY)
    assert wire.parse(XdsType.CDS, blob.body)["circuit_breakers"]["thresholds"][0]["retry_budget"]["budget_interval"] == "90.500s"


def dumped(url: str, process: subprocess.Popen[bytes]) -> Any:
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return json.load(answer)["configs"][0]
        except urllib.error.URLError:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.envoy
def test_a_real_envoy_knows_the_field_by_that_number(tmp_path: Path):
    def field(number: int, data: bytes) -> bytes:
        assert len(data) < 16384
        return bytes((number << 3 | 2, len(data) & 0x7F | 0x80, len(data) >> 7)) + data

    (admin,) = free_ports(1)
    at = {"admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": admin}}}}
    # Bootstrap.static_resources.clusters, as bytes: JSON would not show the number.
    (tmp_path / "clusters.pb").write_bytes(
        wire.serialise("envoy.config.bootstrap.v3.Bootstrap", at) + field(2, field(2, wire.blob(XdsType.CDS, "c", BODY).body))
    )
    command = [bootstrap.ENVOY, "-c", str(tmp_path / "clusters.pb"), "--concurrency", "1", "--use-dynamic-base-id", "-l", "error"]
    process = subprocess.Popen(command)
    try:
        cluster = dumped(f"http://127.0.0.1:{admin}/config_dump?resource=static_clusters", process)
    finally:
        process.terminate()
        process.wait(10)
    assert cluster["cluster"]["circuit_breakers"]["thresholds"][0]["retry_budget"]["budget_interval"] == "90.500s"
