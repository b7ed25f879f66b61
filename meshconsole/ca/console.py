"""The console's own certificate, signed by the mesh: for https and wss without a certificate from elsewhere."""

import contextlib
import datetime
import fcntl
import ipaddress
import os
import socket
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from django.conf import settings

from meshconsole.core.mesh.spiffe import Identity

from . import issuing, making
from .models import Issued, State
from .subject import Subject

NAMESPACE = ACCOUNT = "meshconsole"


def renewed(path: Path, names: Sequence[str], now: datetime.datetime) -> bool:
    """
    See to it that `path` holds the console's key and chain, for these host names and addresses. True when it was made anew: at half of its
    life, when its issuer retires, or when it is for other names. Raises issuing.Refusal.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (path.parent / "lock").open("w") as lock:  # several processes of one home share it
        fcntl.flock(lock, fcntl.LOCK_EX)
        serving = _serving(path)
        row = Issued.objects.filter(serial=f"{serving.serial_number:x}").select_related("issuer").first() if serving else None
        if row is not None and serving is not None:
            good = row.revoked is None and row.issuer.state == State.ACTIVE and now < row.renew_at
            if good and _names(serving) == {str(n) for n in map(_name, names)}:
                Issued.objects.filter(proxy_id=row.proxy_id, given_back=None).exclude(pk=row.pk).update(given_back=now)
                return False
        _write(path, names, now)
        return True


def proxy_id() -> str:
    """As the list of certificates names it: no workload has such a name."""
    return f"console {socket.gethostname()}"


def _write(path: Path, names: Sequence[str], now: datetime.datetime) -> None:
    key = making.key()
    identity = Identity(settings.TRUST_DOMAIN, NAMESPACE, ACCOUNT)
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    svid = issuing.issue(
        csr.public_bytes(serialization.Encoding.DER),
        proxy_id=proxy_id(),
        requested=identity,
        prove=lambda: identity,
        subject=Subject("console"),
        now=now,
        also=tuple(map(_name, names)),
    )
    plain = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    temporary = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(plain + svid.chain)
    temporary.replace(path)


def _serving(path: Path) -> x509.Certificate | None:
    with contextlib.suppress(FileNotFoundError, ValueError):
        return x509.load_pem_x509_certificates(path.read_bytes())[0]
    return None


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        return x509.DNSName(text)


def _names(certificate: x509.Certificate) -> set[str]:
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name) for name in found if not isinstance(name, x509.UniformResourceIdentifier)}
