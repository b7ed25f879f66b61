"""
`python -m tests.corpus FOLDER`: Istio's own files, held against what happens to them here. FOLDER has `validation/` (documents, `_err` on those that
are to be refused), `analyze/` with analyzer-expectations.json, `bookinfo/` and `samples/`. The suite needs none of them; what differs, and
why, is in docs/istio-verdicts.md.

Prints each difference, and each document of the samples that is refused. Exit status 1: a sample compiles to what Envoy refuses, or is refused
without a field and a reason.
"""

import json
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from meshconsole.core.analysis import analyze
from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.mesh.model import MeshConfig, ProxyKind, Workload, WorkloadPort
from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.core.policies import parse
from meshconsole.core.resources.messages import Invalid, Level, Message
from tests.golden import bootstrap, case

ELSEWHERE = re.compile(r"is a kind of Kubernetes|the Gateway API's")
_ERR = re.compile(r"^_err:.*\n?(?: +.*\n)*", re.MULTILINE)
_SERVED = {
    "helloworld": (5000, "http"),
    "httpbin": (8000, "http"),
    "tcp-echo": (9000, "tcp"),
    "tornado": (8888, "http"),
    "details": (9080, "http"),
}
"""What the samples' Deployments would run."""


def documents(text: str) -> Iterator[str]:
    for part in re.split(r"^---.*$", text, flags=re.MULTILINE):
        if any(line.strip() and not line.startswith("#") for line in part.splitlines()):
            yield part


def name_of(text: str) -> str:
    found = [re.search(pattern, text, re.MULTILINE) for pattern in (r"^kind: (.*)", r"^  name: (.*)")]
    return " ".join(each[1].strip() for each in found if each)


def read(text: str) -> tuple[list[Any], list[Message]]:
    try:
        return parse(text)
    except Invalid as invalid:
        return [], invalid.messages


def refused(messages: list[Message]) -> list[Message]:
    return [m for m in messages if m.level is Level.ERROR]


def validation(folder: Path) -> Iterator[str]:
    for file in sorted(folder.glob("*.yaml")):
        for text in documents(file.read_text()):
            wanted, faults = _ERR.search(text), refused(read(_ERR.sub("", text))[1])
            if bool(wanted) != bool(faults):
                why = "; ".join(f"{m.path}: {m.text}" for m in faults) or (wanted[0].strip() if wanted else "")
                yield f"{file.name} {name_of(text)}: {'refused' if faults else 'accepted'} here: {why}"


def analysis(folder: Path, expectations: Path) -> Iterator[str]:
    for each in json.loads(expectations.read_text()):
        policies, told, others = [], [], []
        for path in each["inputs"]:
            for text in documents((folder / path).read_text()):
                others.append(yaml.safe_load(text))
                found, messages = read(text)
                policies += found
                told += messages
        told += analyze(policies, list(running(others)), MeshConfig())
        have = {(m.code, f"{m.key.kind} {m.key.name}") for m in told if m.key}
        wanted = {(m["code"], m["origin"].split("/")[-1] if "/" not in m["origin"] else _short(m["origin"])) for m in each["expected"]}
        codes = {code for code, _ in wanted}
        for code, origin in sorted({(code, _short(origin)) for code, origin in wanted} - have):
            yield f"{each['inputs'][0]}: {code} is not told of {origin}"
        for code, origin in sorted(pair for pair in have - wanted if pair[0] in codes):
            yield f"{each['inputs'][0]}: {code} is told of {origin}"


def running(objects: list[Any]) -> Iterator[Workload]:
    """What Pods and Deployments would run, and the Services that they would serve: here agents say so."""
    services = [each for each in objects if each.get("kind") == "Service"]
    for each in objects:
        template = (
            each.get("spec", {}).get("template", {}) if each.get("kind") == "Deployment" else each if each.get("kind") == "Pod" else None
        )
        if template is None:
            continue
        labels = {key: str(value) for key, value in (template.get("metadata", {}).get("labels") or {}).items()}
        namespace = each["metadata"].get("namespace", "default")
        served = [
            s for s in services
            if s["metadata"].get("namespace", "default") == namespace and (chosen := s["spec"].get("selector")) and chosen.items() <= labels.items()
        ]  # fmt: skip
        ports = {p["port"]: p.get("name", "") for s in served for p in s["spec"].get("ports", ())}
        gateway = "istio" in labels and "gateway" in labels["istio"]
        yield Workload(
            namespace, each["metadata"]["name"], ProxyKind.GATEWAY if gateway else ProxyKind.SIDECAR, labels=labels,
            services=tuple(s["metadata"]["name"] for s in served), ports=tuple(WorkloadPort(number, name) for number, name in ports.items()),
        )  # fmt: skip


def _short(origin: str) -> str:
    """`VirtualService foo/productpage` without its namespace."""
    kind, _, name = origin.partition(" ")
    return f"{kind} {name.rpartition('/')[2]}"


def samples(root: Path) -> Iterator[tuple[str, bool]]:
    """(line, is it wrong)"""
    mesh, workloads, calls = case.load_mesh(case.HERE / "mesh.yaml")
    workloads += [
        Workload("default", f"{name}-{version}", address=f"127.0.9.{n}{version[1:]}", labels={"app": name, "version": version},
                 services=(name,), ports=(WorkloadPort(number, protocol, app_port=1),), outbound_address=f"127.0.9.{n}{version[1:]}")
        for n, (name, (number, protocol)) in enumerate(_SERVED.items(), 1) for version in ("v1", "v2") if name != "details"
    ]  # fmt: skip
    secrets = bootstrap.Authority().issue("default", "sample")
    for file in sorted(f for part in ("bookinfo", "samples") for f in (root / part).rglob("*.yaml")):
        policies = []
        for text in documents(file.read_text()):
            found, messages = read(text)
            policies += found
            if faults := refused(messages):
                yield (
                    f"{file.relative_to(root)} {name_of(text)}: " + "; ".join(f"{m.path}: {m.text}" for m in faults),
                    any(not m.path or not m.text for m in faults),
                )
        if not policies:
            continue
        snapshot = Snapshot(mesh, policies, workloads, 1)
        asked = frozenset(
            host for p in policies if p.kind in ("VirtualService", "ServiceEntry") for host in p.spec.hosts if "*" not in host
        )
        compiled = {w.name: Compiler().compile(snapshot, w, Demand(frozenset(calls.get(w.name, ())) | asked)) for w in workloads}
        failures = [str(f) for resources in compiled.values() for f in resources.failures]
        with tempfile.TemporaryDirectory() as folder:
            said = bootstrap.validate(bootstrap.static(list(compiled.items()), secrets), Path(folder))
        if failures or said:
            yield f"{file.relative_to(root)}: {said or failures}", True


def main(root: Path) -> int:
    wrong = 0
    for title, lines in (
        ("Another verdict than validation/ says", validation(root / "validation")),
        ("Other messages than analyze/ says", analysis(root / "analyze", root / "analyzer-expectations.json")),
    ):
        print(f"{title}:", *lines, "", sep="\n  ")
    print("Refused of the samples, or by Envoy:")
    for line, fault in samples(root):
        wrong += fault
        print(f"  {'WRONG ' * fault}{line}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
