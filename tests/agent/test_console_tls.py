"""wss: the agent talks to its console and to nobody else; to a stranger it says nothing at all, its token least."""

import asyncio
import datetime
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from proxyagent.pinning import Pins

from .conftest import RunningAgent
from .fake_console import Authority

ADDRESS = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


class Stranger:
    """A TLS server with the certificate that it is given; it writes down what anybody says after the handshake."""

    def __init__(self, folder, authority, *names, days=1, since=1):
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")]))
            .issuer_name(authority.root.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=since))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.SubjectAlternativeName(names), False)
            .sign(authority.key, hashes.SHA256())
        )
        form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        (folder / "server.pem").write_bytes(key.private_bytes(*form) + certificate.public_bytes(serialization.Encoding.PEM))
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(folder / "server.pem")
        self.heard, self.calls = b"", 0

    async def start(self):
        async def serve(reader, writer):
            self.heard += await reader.read(65536)
            writer.close()

        self.server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def stop(self):
        self.server.close()
        await self.server.wait_closed()


@pytest.mark.parametrize(
    ("signer", "names", "days", "since", "word"),
    [
        ("other", [ADDRESS], 1, 1, "CERTIFICATE_VERIFY_FAILED"),
        ("pinned", [x509.DNSName("console.example.com")], 1, 1, "IP address mismatch"),
        ("pinned", [x509.UniformResourceIdentifier("spiffe://cluster.local/ns/default/sa/thief")], 1, 1, "IP address mismatch"),
        ("pinned", [ADDRESS], -1, 2, "certificate has expired"),
        ("pinned", [ADDRESS], 2, -1, "not yet valid"),
    ],
    ids=["another-authority", "another-host", "a-workload", "expired", "not-yet-valid"],
)
async def test_a_stranger_hears_nothing(tmp_path, signer, names, days, since, word):
    pinned, other = Authority(), Authority()
    (tmp_path / "ca.pem").write_bytes(pinned.bundle)
    stranger = await Stranger(tmp_path, {"pinned": pinned, "other": other}[signer], *names, days=days, since=since).start()
    agent = RunningAgent(f"wss://127.0.0.1:{stranger.port}", tmp_path / "state", "--ca-file", str(tmp_path / "ca.pem")).start()
    try:
        async with asyncio.timeout(15):
            while word not in agent.log.read_text():
                assert agent.process.poll() is None, agent.log.read_text()
                await asyncio.sleep(0.05)
    finally:
        await asyncio.to_thread(agent.end)
        await stranger.stop()
    assert stranger.heard == b""


async def test_a_pinned_file_that_is_not_there_is_said_at_once(tmp_path):
    agent = RunningAgent("wss://127.0.0.1:1", tmp_path / "state", "--ca-file", str(tmp_path / "nowhere.pem")).start()
    assert await asyncio.to_thread(agent.process.wait, 15) != 0
    assert "--ca-file" in agent.log.read_text() and "No such file" in agent.log.read_text()


class TestPins:
    def roots(self, context: ssl.SSLContext) -> int:
        return context.cert_store_stats()["x509_ca"] + context.cert_store_stats()["x509"]

    def test_a_pinned_root_of_the_mesh_is_followed_when_the_mesh_rotates(self, tmp_path):
        first, second = Authority().bundle.decode(), Authority().bundle.decode()
        (tmp_path / "ca.pem").write_text(first)
        pins = Pins(str(tmp_path / "ca.pem"), tmp_path)
        assert pins.follows(first + second)
        assert second.strip()[60:90] in second and len(pins.context(second).get_ca_certs()) == 2, "also once the first root is gone"

    def test_a_pinned_root_of_somebody_else_trusts_nobody_else(self, tmp_path):
        (tmp_path / "ca.pem").write_text(Authority().bundle.decode())
        pins = Pins(str(tmp_path / "ca.pem"), tmp_path)
        assert not pins.follows(Authority().bundle.decode())
        assert len(pins.context(Authority().bundle.decode()).get_ca_certs()) == 1

    def test_another_file_is_judged_anew(self, tmp_path):
        first = Authority().bundle.decode()
        (tmp_path / "ca.pem").write_text(first)
        pins = Pins(str(tmp_path / "ca.pem"), tmp_path)
        assert pins.follows(first)
        (tmp_path / "ca.pem").write_text(Authority().bundle.decode())
        assert not pins.follows(first)
