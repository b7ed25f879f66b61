"""IST0101 a Gateway names a credential that is not there, IST0161 one that lacks what is needed: that server waits, the others are served."""

from collections.abc import Iterator
from typing import Any

from meshconsole.core.mesh.model import ProxyKind
from meshconsole.core.resources.messages import Level, Message

from .base import Scene, finding


def analyze(scene: Scene) -> Iterator[Message]:
    secrets = {(secret.metadata.namespace, secret.metadata.name): secret.credential() for secret in scene.of("Secret")}
    for gateway in scene.of("Gateway"):
        # A credential is of the gateway proxy's namespace; where no proxy is known, it will probably be the Gateway's.
        proxies = [w for w in scene.selected(gateway.spec.selector, None) if w.kind is ProxyKind.GATEWAY]
        namespaces = sorted({w.namespace for w in proxies}) or [gateway.metadata.namespace]
        for i, server in enumerate(gateway.spec.servers):
            for namespace in namespaces:
                for path, text in _faults(server.tls, namespace, secrets):
                    # Not an error, as in Istio: the Secret may come later, or from who may write none of the Gateways.
                    code = "IST0101" if text.startswith("Referenced") else "IST0161"
                    yield finding(Level.WARNING, code, gateway, f"spec.servers[{i}].tls.{path}", text)


def _faults(tls: Any, namespace: str, secrets: dict[tuple[str, str], Any]) -> Iterator[tuple[str, str]]:
    if tls is None:
        return
    one = "credentialName" if tls.credential_name else ""
    named = [(one, tls.credential_name)] if one else [(f"credentialNames[{i}]", name) for i, name in enumerate(tls.credential_names)]
    for path, name in named:
        held = secrets.get((namespace, name))
        if held is None:
            text = f'Referenced credentialName not found: "{name}" in namespace {namespace}: this server is not served until it is there'
            yield path, text
        elif not held.chain or not held.key:
            yield path, _text(name, namespace, "holds no certificate with its key")
    if named and tls.mode in ("MUTUAL", "OPTIONAL_MUTUAL"):
        path, name = ("caCertCredentialName", tls.ca_cert_credential_name) if tls.ca_cert_credential_name else named[0]
        some = [secrets[namespace, each] for each in (f"{name}-cacert", name) if (namespace, each) in secrets]
        if not any(each.roots for each in some) and (some or path == "caCertCredentialName"):
            yield path, _text(name, namespace, "holds no CA certificates (ca.crt) for clients, nor does " + f"{name}-cacert")


def _text(name: str, namespace: str, what: str) -> str:
    return f"The credential {name} in namespace {namespace} {what}: this server is not served until it does"
