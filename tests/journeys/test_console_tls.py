"""A console that serves wss with a certificate of the mesh's own: agents pin the mesh's root, and follow its rotations."""

import ssl
import sys

import httpx
import pytest

from meshconsole.cli.up import _await, _listens

from .live import LiveMesh, eventually


class SecureMesh(LiveMesh):
    def start_console(self) -> None:
        self.url = f"https://127.0.0.1:{self.port}"
        words = [sys.executable, "-m", "meshconsole.cli", "web", "--port", str(self.port), "--tls", "--tls-name", "127.0.0.1"]
        self.web = self.children.start("web", words, self.environment)
        _await(self.web, lambda: _listens("127.0.0.1", self.port), 60, "the console did not start")

    def trust(self) -> str:
        """Pin the mesh's roots, as an operator would; the file."""
        pinned = self.home / "mesh-ca.pem"
        script = "import django; django.setup(); from meshconsole.ca import queries; print(queries.trust_bundle().decode())"
        import os
        import subprocess

        done = subprocess.run([sys.executable, "-c", script], env={**os.environ, **self.environment}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        pinned.write_text(done.stdout)
        headers = {"authorization": f"Bearer {self.token}"}
        self.api.close()
        self.api = httpx.Client(
            base_url=self.url, headers=headers, timeout=60, trust_env=False, verify=ssl.create_default_context(cafile=str(pinned))
        )
        eventually(lambda: self.api.get("/readyz").is_success, 60)
        return str(pinned)


@pytest.mark.timeout(120)
def test_an_agent_joins_by_wss_with_the_meshs_own_certificate_and_survives_its_rotation(tmp_path):
    mesh = SecureMesh(tmp_path, CA_RENEWAL_SPREAD="1").start()
    try:
        pinned = mesh.trust()
        echo = mesh.workload("echo", service="echo", options=("--ca-file", pinned))
        before = ssl.get_server_certificate(("127.0.0.1", mesh.port))
        assert mesh.api.post("/api/v1/ca/rotations", json={}).is_success
        said = lambda: mesh.api.get("/api/v1/ca").json()["rotation"]  # noqa: E731
        eventually(lambda: ssl.get_server_certificate(("127.0.0.1", mesh.port)) != before, 30)
        mesh.api.close()
        mesh.api = httpx.Client(
            base_url=mesh.url, headers={"authorization": f"Bearer {mesh.token}"}, timeout=60, trust_env=False, verify=False
        )  # noqa: S501
        eventually(lambda: said()["pending"] is None and said()["retiring"] == [], 40)
        # The file that it was started with holds only the first root, which is gone.
        echo.agent.process.terminate()
        echo.agent.process.wait(20)
        mesh.revive()
        mesh.wait_synced("echo")
    finally:
        mesh.stop()
