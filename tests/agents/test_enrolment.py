"""A real web process, and agents that speak the real protocol to it."""

import asyncio
import os
import time

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import connect

from proxyagent import protocol
from proxyagent.protocol import Challenge, Hello, Join, Prove, Refused, State, Welcome
from proxyagent.session import Elapsed

from .conftest import workload
from .test_pushes import Api


class Raw:
    """A socket that says what it is told to, in whatever order."""

    def __init__(self, url: str):
        self.url = url

    async def __aenter__(self) -> "Raw":
        self.socket = await connect(self.url, compression=None, max_size=None, proxy=None)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.close()

    async def say(self, frame: protocol.Frame | bytes | str) -> None:
        await self.socket.send(frame if isinstance(frame, bytes | str) else protocol.encode(frame))

    async def hear(self, seconds: float = 10):
        data = await asyncio.wait_for(self.socket.recv(), seconds)
        assert isinstance(data, bytes)
        return protocol.decode_from_console(data)

    async def refusal(self) -> Refused:
        while not isinstance(frame := await self.hear(), Refused):
            pass
        await asyncio.wait_for(self.socket.wait_closed(), 10)
        return frame


def hello(spec=None, **fields) -> Hello:
    return Hello(**({"protocol": protocol.PROTOCOL, "agent_version": "1", "envoy_version": "1"} | fields), workload=spec or workload())


def request(*names: x509.GeneralName, key=None, subject: str = "") -> bytes:
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder()
    builder = builder.subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)] if subject else []))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


class TestJoining:
    async def test_an_agent_with_a_token_gets_a_certificate_for_the_tokens_identity(self, agent):
        one = await agent(workload("reviews-v1", labels={"app": "reviews", "version": "v1"})).connect()
        names = one.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert [n.value for n in names] == ["spiffe://cluster.local/ns/default/sa/default"]
        assert one.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "reviews-v1"
        root = x509.load_pem_x509_certificate(one.bundle)
        leaf, issuer = x509.load_pem_x509_certificates(one.chain)
        leaf.verify_directly_issued_by(issuer)
        issuer.verify_directly_issued_by(root)

    async def test_a_single_use_token_lets_one_agent_in(self, agent, console):
        token = console.token(uses=1)
        await agent(token=token).connect()
        with pytest.raises(AssertionError, match="has been used"):
            await agent(token=token).connect()

    async def test_ten_agents_that_share_a_single_use_token_at_once_are_one(self, agent, console):
        token = console.token(uses=1)
        done = await asyncio.gather(*(agent(token=token).connect() for _ in range(10)), return_exceptions=True)
        assert sum(not isinstance(d, BaseException) for d in done) == 1

    async def test_an_unknown_token_is_refused(self, agent):
        with pytest.raises(AssertionError, match="token is not known"):
            await agent(token="mjt_nonsense").connect()

    async def test_a_token_is_good_for_its_own_namespace_and_account_only(self, agent):
        for spec in (workload(namespace="payments"), workload(service_account="admin")):
            with pytest.raises(AssertionError, match="was asked for"):
                await agent(spec).connect()

    async def test_a_token_is_not_spent_on_what_is_refused(self, agent, console):
        token = console.token(uses=1)
        with pytest.raises(AssertionError, match="was asked for"):
            await agent(workload(namespace="payments"), token=token).connect()
        await agent(token=token).connect()

    async def test_names_beyond_the_identity_are_refused(self, console, token):
        async with Raw(console.agents) as raw:
            await raw.say(hello())
            assert isinstance(await raw.hear(), Challenge)
            await raw.say(Join(token, request(x509.DNSName("evil.example.com"))))
            refused = await raw.refusal()
        assert refused.code == "identity" and "evil.example.com" in refused.message

    async def test_the_requests_own_subject_is_ignored(self, console, token):
        async with Raw(console.agents) as raw:
            await raw.say(hello(workload("plain")))
            await raw.hear()
            await raw.say(Join(token, request(subject="admin")))
            welcome = await raw.hear()
        assert isinstance(welcome, Welcome)
        leaf = x509.load_pem_x509_certificates(welcome.certificate)[0]
        assert leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "plain"

    @pytest.mark.parametrize("csr", [b"", b"nonsense", os.urandom(5000), b"\x30\x80" * 2000], ids=["empty", "text", "noise", "nested"])
    async def test_what_is_no_request_is_refused(self, console, token, csr):
        async with Raw(console.agents) as raw:
            await raw.say(hello())
            await raw.hear()
            await raw.say(Join(token, csr))
            assert (await raw.refusal()).code == "malformed"

    @pytest.mark.parametrize(
        ("fields", "word"),
        [
            ({"address": "not an address"}, "address"),
            ({"labels": {"app": "a b"}}, "label"),
            ({"services": ("../../etc",)}, "service"),
            ({"ports": (protocol.WorkloadPort(0),)}, "port"),
            ({"ports": (protocol.WorkloadPort(80), protocol.WorkloadPort(80))}, "twice"),
        ],
    )
    async def test_a_workload_that_cannot_be_is_refused(self, agent, fields, word):
        with pytest.raises(AssertionError, match=word):
            await agent(workload(**fields)).connect()


class TestComingBack:
    async def test_an_agent_proves_its_key_and_needs_no_token_any_more(self, agent, console):
        one = await agent(token=console.token(uses=1)).connect()
        await one.leave()
        serial = one.serial
        await one.connect()
        assert one.of(Welcome)[-1].certificate == b"" and one.serial == serial

    async def test_the_trust_bundle_is_not_sent_to_who_has_it(self, agent, console):
        one = await agent().connect()
        bundle = one.bundle
        await one.until(lambda: one.pushes)
        await Api(console).in_sync(one)
        await one.leave()
        before = one.bytes_received
        await one.connect()
        assert one.of(Welcome)[-1].trust_bundle == b"" and one.bundle == bundle and one.bytes_received - before <= 250

    async def test_a_serial_without_its_key_is_refused(self, agent):
        one = await agent().connect()
        await one.leave()
        one.key, one.session._token = ec.generate_private_key(ec.SECP256R1()), ""
        with pytest.raises(AssertionError, match="not made by the certificate's key"):
            await one.connect()

    async def test_a_proof_cannot_be_replayed(self, agent, console):
        one = await agent().connect()
        async with Raw(console.agents) as first, Raw(console.agents) as second:
            proofs = []
            for raw in (first, second):
                await raw.say(hello(one.workload))
                challenge = await raw.hear()
                proofs.append(one.key.sign(protocol.proof(challenge.nonce, challenge.console), ec.ECDSA(hashes.SHA256())))
            await second.say(Prove(one.serial, proofs[0]))
            assert (await second.refusal()).code == "proof"

    async def test_a_certificate_does_not_prove_another_workload(self, agent, console):
        one = await agent(workload("mine")).connect()
        async with Raw(console.agents) as raw:
            await raw.say(hello(workload("theirs")))
            challenge = await raw.hear()
            await raw.say(Prove(one.serial, one.key.sign(protocol.proof(challenge.nonce, challenge.console), ec.ECDSA(hashes.SHA256()))))
            assert (await raw.refusal()).code == "identity"

    async def test_changed_labels_lead_to_a_new_certificate_at_once(self, agent, console):
        one = await agent(workload("relabelled", labels={"app": "a", "version": "v1"})).connect()
        await one.leave()
        two = agent(workload("relabelled", labels={"app": "a", "version": "v2"}), token="", key=one.key, serial=one.serial)
        await two.connect()
        assert two.of(Welcome)[0].renew_at <= time.time()
        await two._do(Elapsed())
        await two.until(lambda: two.chain)
        assert two.certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)[0].value == "v2"

    async def test_a_renewal_brings_a_new_key_and_the_next_proof_is_by_it(self, agent):
        one = await agent().connect()
        before = one.serial
        await one.say(protocol.SignRequest(one._request()))
        await one.until(lambda: one.serial != before)
        await one.leave()
        await one.connect()
        assert one.of(Welcome)[-1].certificate == b""


class TestTakingOver:
    async def test_the_same_identity_replaces_the_connection_before(self, agent):
        one = await agent(workload("twin")).connect()
        two = await agent(workload("twin")).connect()
        assert "replaced" in await one.until_closed()
        await two.until(lambda: two.pushes)

    async def test_another_identity_does_not_get_a_name_that_is_taken(self, agent, console):
        one = await agent(workload("taken")).connect()
        other = agent(workload("taken", service_account="other"), token=console.token(account="other"))
        with pytest.raises(AssertionError, match="taken is registered with the service account default"):
            await other.connect()
        assert not one.closed

    async def test_after_a_goodbye_the_name_is_free(self, agent, console):
        one = await agent(workload("moved")).connect()
        await one.say(protocol.Goodbye())
        await one.leave()
        await agent(workload("moved", service_account="other"), token=console.token(account="other")).connect()


class TestWrongOrder:
    async def test_another_protocol_gets_a_clear_answer(self, console):
        for number, who in ((0, "agent"), (99, "console")):
            async with Raw(console.agents) as raw:
                await raw.say(hello(protocol=number))
                refused = await raw.refusal()
            assert refused.code == "protocol" and f"upgrade the {who}" in refused.message and not refused.retry

    async def test_a_hello_whose_fields_we_do_not_know_gets_the_same_clear_answer(self, console):
        async with Raw(console.agents) as raw:
            await raw.say(msgspec.msgpack.encode({"type": "Hello", "protocol": 2, "something": "new"}))
            assert (await raw.refusal()).code == "protocol"

    @pytest.mark.parametrize(
        "said",
        [State(""), Join("x", b""), protocol.Demand(("a",)), b"\xc1", b"", b"\x92" * 5000, "text", os.urandom(1000)],
        ids=["state", "join", "demand", "never", "empty", "nested", "text", "noise"],
    )
    async def test_whoever_does_not_begin_with_hello_is_refused(self, console, said):
        async with Raw(console.agents) as raw:
            await raw.say(said)
            assert (await raw.refusal()).code == "malformed"

    async def test_nothing_is_told_before_the_proof(self, console):
        async with Raw(console.agents) as raw:
            await raw.say(hello())
            assert isinstance(await raw.hear(), Challenge)
            await raw.say(State(""))
            assert (await raw.refusal()).code == "malformed"

    async def test_a_second_hello_is_refused(self, agent):
        one = await agent().connect()
        await one.say(hello(one.workload))
        assert "malformed" in await one.until_closed()

    async def test_a_frame_that_is_too_long_is_refused_and_others_are_not_disturbed(self, agent, console):
        one = await agent().connect()
        async with Raw(console.agents) as raw:
            await raw.say(b"x" * 300_000)
            assert (await raw.refusal()).code == "malformed"
        async with Raw(console.agents) as raw:
            await raw.say(b"x" * (protocol.MAX_FRAME + 1000))
            assert (await raw.refusal()).code == "malformed"
        assert not one.closed
