import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_an_old_deployment_signs_on_with_the_same_intermediate_and_can_go_back(tmp_path):
    environment = {
        **os.environ, "DATABASE_URL": f"sqlite:///{tmp_path / 'old.sqlite3'}", "MESHCONSOLE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "meshconsole.settings", "SECRET_KEY": "x" * 50,
    }  # fmt: skip
    done = subprocess.run([sys.executable, "-m", "tests.ca.old_deployment"], env=environment, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0 and "migrated" in done.stdout, done.stderr[-3000:]
