"""What several processes of one console count is told as one, and what a dead one counted stays counted."""

import os
import subprocess
import sys
from pathlib import Path

from meshconsole.cli import processes

ROOT = Path(__file__).resolve().parents[1]
COUNT = """
from meshconsole import measures
measures.PUSHES.labels("ack").inc({n}); measures.AGENTS.set({n}); measures.PUSH_SECONDS.observe(0.02)
{then}
"""
TELL = "from prometheus_client import generate_latest; print(generate_latest(measures.registry()).decode())"


def run(folder, code):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout


def test_counters_of_all_processes_add_up_and_gauges_of_the_living_only(tmp_path):
    run(tmp_path, COUNT.format(n=3, then=""))
    text = run(tmp_path, COUNT.format(n=2, then=TELL))
    assert 'meshconsole_pushes_total{result="ack"} 5.0\n' in text
    assert "meshconsole_push_seconds_count 2.0\n" in text
    assert "meshconsole_agents_connected 2.0\n" in text


def test_the_first_process_of_a_console_begins_at_zero_and_a_second_one_does_not(tmp_path, monkeypatch):
    monkeypatch.setenv("MESHCONSOLE_HOME", str(tmp_path))
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")  # so that what is set below is undone
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR")
    (tmp_path / "metrics").mkdir()
    old, mine = tmp_path / "metrics" / "counter_99999999.db", tmp_path / "metrics" / f"counter_{os.getpid()}.db"
    old.write_bytes(b"")
    mine.write_bytes(b"")
    processes._count_together()
    assert old.exists(), "another process of this console runs: its scrapes would see a reset"
    mine.unlink()
    processes._count_together()
    assert not old.exists() and os.environ["PROMETHEUS_MULTIPROC_DIR"] == str(tmp_path / "metrics")
