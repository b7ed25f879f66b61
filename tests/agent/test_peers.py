"""Peers that a real Envoy must not believe, by their certificates: each handshake fails, and an honest peer's goes on."""

import asyncio
import datetime
import hashlib
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from proxyagent import protocol

from . import envoy_config as config
from .conftest import free_port, reviews
from .fake_console import Authority

pytestmark = pytest.mark.envoy
PEER = "spiffe://cluster.local/ns/default/sa/productpage"


class Peer:
    def __init__(self, folder, authority, name, begins=-60.0, ends=3600.0):
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(authority.root.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(seconds=begins))
            .not_valid_after(now + datetime.timedelta(seconds=ends))
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(PEER)]), True)
            .sign(authority.key, hashes.SHA256())
        )
        form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(key.private_bytes(*form) + self.certificate.public_bytes(serialization.Encoding.PEM))

    async def ask(self, port: int) -> str:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        tls.load_cert_chain(self.file)
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
            writer.write(b"GET / HTTP/1.1\r\nHost: reviews\r\nConnection: close\r\n\r\n")
            said = await asyncio.wait_for(reader.read(), 5)
            writer.close()
        except (ssl.SSLError, ConnectionError) as e:
            return f"refused: {e}"
        return said.split(b"\r\n")[0].decode() or "refused: closed"


async def test_expired_early_strange_and_revoked_peers_are_refused_and_honest_ones_served(console, agents, origin, tmp_path):
    agent = agents(console)
    await console.until(protocol.State)
    port = free_port()
    resources = reviews(agent, origin)
    resources["lds"] = [*resources["lds"], config.inbound(port, "reviews")]
    assert not (await console.push(**resources)).errors
    await agent.serves()
    authority = console.authority
    honest, leaked = Peer(tmp_path, authority, "honest"), Peer(tmp_path, authority, "leaked")
    assert [await p.ask(port) for p in (honest, leaked)] == ["HTTP/1.1 200 OK"] * 2
    for bad in (
        Peer(tmp_path, authority, "expired", begins=-600, ends=-5),
        Peer(tmp_path, authority, "early", begins=600),
        Peer(tmp_path, Authority(), "stranger"),
    ):
        assert (await bad.ask(port)).startswith("refused"), bad.file

    now = datetime.datetime.now(datetime.UTC)
    revoked = x509.RevokedCertificateBuilder().serial_number(leaked.certificate.serial_number).revocation_date(now).build()
    crl = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.root.subject)
        .last_update(now - datetime.timedelta(minutes=5))
        .next_update(now + datetime.timedelta(days=1))
        .add_revoked_certificate(revoked)
        .sign(authority.key, hashes.SHA256())
    )
    bundle = authority.bundle + crl.public_bytes(serialization.Encoding.PEM)
    await console.send(protocol.Certificate(bundle))
    said = await console.until(protocol.Trusted, lambda f: f.bundle == hashlib.sha256(bundle).hexdigest()[:32])
    assert said.serial in authority.issued
    async with asyncio.timeout(5):
        while not (await leaked.ask(port)).startswith("refused"):
            await asyncio.sleep(0.05)
    assert await honest.ask(port) == "HTTP/1.1 200 OK"
