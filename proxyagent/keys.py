"""
The agent's private key: made, used and checked here, and never sent anywhere but to the Envoy beside it.

Run as `python -m proxyagent.keys <operation>` it does one operation and ends: the library costs 10 MB, is needed for
milliseconds once a day, and so does not stay in the agent's memory. `in_child` is that call; the functions are the work.
"""

import asyncio
import base64
import contextlib
import json
import pathlib
import sys
from collections.abc import Callable
from typing import Any


class KeyTrouble(RuntimeError):
    """The operation did not succeed; the text says why."""


def make(path: str, uri: str) -> dict[str, Any]:
    """A new ECDSA P-256 key into `path` (0600), and the CSR for it with the identity asked for."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    from .disk import write

    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write(pathlib.Path(path), pem)
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    if uri:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=False)
    csr = builder.sign(key, hashes.SHA256())
    return {"csr": base64.b64encode(csr.public_bytes(serialization.Encoding.DER)).decode()}


def sign(key: str, message: str) -> dict[str, Any]:
    """ECDSA-SHA256 with the key (PEM) over the message (base64)."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = serialization.load_pem_private_key(key.encode(), password=None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise KeyTrouble("the key on disk is not an elliptic-curve key")
    return {"signature": base64.b64encode(private.sign(base64.b64decode(message), ec.ECDSA(hashes.SHA256()))).decode()}


def describe(chain: str, key: str, bundle: str) -> dict[str, Any]:
    """What the chain's first certificate says, once it is shown to belong to the key and to be signed from the bundle."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import serialization

    certificates = x509.load_pem_x509_certificates(chain.encode())
    leaf = certificates[0]
    private = serialization.load_pem_private_key(key.encode(), password=None)
    form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    if private.public_key().public_bytes(*form) != leaf.public_key().public_bytes(*form):
        raise KeyTrouble("the certificate that came is not for our key")
    roots = x509.load_pem_x509_certificates(bundle.encode())
    for i, child in enumerate(certificates):
        for parent in certificates[i + 1 : i + 2] + roots:
            try:
                child.verify_directly_issued_by(parent)
                break
            except (ValueError, TypeError, InvalidSignature):
                continue
        else:
            raise KeyTrouble(f"nobody in the trust bundle has signed {child.subject.rfc4514_string() or child.serial_number}")
    uris = []
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    except x509.ExtensionNotFound:
        pass
    return {
        "serial": f"{leaf.serial_number:x}",
        "not_before": leaf.not_valid_before_utc.timestamp(),
        "not_after": leaf.not_valid_after_utc.timestamp(),
        "uris": uris,
    }


OPERATIONS: dict[str, Callable[..., dict[str, Any]]] = {"make": make, "sign": sign, "describe": describe}


async def in_child(operation: str, **arguments: str) -> dict[str, Any]:
    """Raises KeyTrouble. Secrets go by pipe, never by command line or environment."""
    try:
        child = await asyncio.create_subprocess_exec(sys.executable, "-m", "proxyagent.keys", operation, stdin=-1, stdout=-1, stderr=-1)
    except OSError as e:
        raise KeyTrouble(f"no child process: {e}") from e
    try:
        out, err = await child.communicate(json.dumps(arguments).encode())
    finally:
        with contextlib.suppress(ProcessLookupError):  # nobody waits any more: it must not write a key over the next one's
            child.kill()
    if child.returncode != 0:
        last = (err.decode(errors="replace").strip().splitlines() or ["no reason"])[-1]
        raise KeyTrouble(last.removeprefix("proxyagent.keys.KeyTrouble: ").removeprefix("KeyTrouble: "))
    return json.loads(out)


if __name__ == "__main__":
    json.dump(OPERATIONS[sys.argv[1]](**json.load(sys.stdin)), sys.stdout)
