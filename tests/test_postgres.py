"""The database's tests once more, on a real PostgreSQL: locks, upserts and JSON are not SQLite's."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshconsole.cli.up import free_port

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = [
    "accounts",
    "configstore",
    "ca",
    "discovery",
    "xds",
    "telemetry/test_ingest.py",
    "telemetry/test_logs.py",
    "telemetry/test_refusals.py",
    "alerts/test_grouping.py",
    "alerts/test_outbox.py",
]
pytestmark = [pytest.mark.journey, pytest.mark.timeout(600)]


def as_postgres(*command: str) -> list[str]:
    """PostgreSQL refuses to run as root."""
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else list(command)


@pytest.fixture
def postgres() -> Iterator[str]:
    """The URL of a server of its own, gone afterwards."""
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    folder = Path(tempfile.mkdtemp(prefix="postgres", dir="/tmp"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    port, data = free_port(), str(folder / "data")
    subprocess.run(
        as_postgres(str(binaries / "initdb"), "-D", data, "-U", "mesh", "-A", "trust", "-E", "UTF8", "--no-sync"),
        check=True,
        capture_output=True,
    )
    options = ("-p", str(port), "-k", str(folder), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off")
    server = subprocess.Popen(
        as_postgres(str(binaries / "postgres"), "-D", data, *options), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + 30
        while subprocess.run([binaries / "pg_isready", "-h", "127.0.0.1", "-p", str(port)], capture_output=True).returncode:
            assert server.poll() is None and time.monotonic() < end, "PostgreSQL did not start"
            time.sleep(0.1)
        yield f"postgres://mesh@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def test_the_databases_tests_pass_on_postgresql(postgres, tmp_path):
    environment = {**os.environ, "DATABASE_URL": postgres, "MESHCONSOLE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not envoy", *(f"tests/{f}" for f in FOLDERS)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:]
    assert " passed" in done.stdout
    print(done.stdout.splitlines()[-1])
