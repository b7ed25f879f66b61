"""Agents that lie about who they are: refused, written down, nothing lost, others undisturbed."""

import asyncio

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from meshconsole.agents.refusals import Refusals
from proxyagent.protocol import Challenge, Join, Prove, Welcome, proof

from .conftest import workload
from .test_enrolment import Raw, hello

KEY = ec.generate_private_key(ec.SECP256R1())


def request(*names: x509.GeneralName) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


async def attempt(console, spec, answer):
    """What the console says to this answer."""
    async with Raw(console.agents) as raw:
        await raw.say(hello(spec))
        challenge = await raw.hear()
        assert isinstance(challenge, Challenge)
        await raw.say(answer(challenge) if callable(answer) else answer)
        return await raw.hear()


async def refused(console, spec, answer, code):
    said = await attempt(console, spec, answer)
    assert type(said).__name__ == "Refused" and said.code == code, said
    async with asyncio.timeout(5):  # it is told first, and written down then
        while not any(d.startswith(code) for d in await told(console, spec)):
            await asyncio.sleep(0.05)


async def told(console, spec) -> list[str]:
    items = (await asyncio.to_thread(console.client().get, "/api/v1/audit?limit=200")).json()["items"]
    return [e["diff"] for e in items if e["action"] == "refuse" and e["object"] == f"Agent {spec.namespace}/{spec.name}"]


async def test_a_replayed_join_token_is_refused(agent, console):
    bystander = await agent(workload()).connect()
    token = console.token(uses=1)
    assert isinstance(await attempt(console, workload("honest"), Join(token, request())), Welcome)
    await refused(console, workload("replayer"), Join(token, request()), "token")
    assert not bystander.closed


async def test_another_namespaces_identity_is_refused_and_the_token_is_kept(console):
    token = console.token(uses=1)
    await refused(console, workload("climber", namespace="payments"), Join(token, request()), "identity")
    await refused(console, workload("climber2", service_account="admin"), Join(token, request()), "identity")
    assert isinstance(await attempt(console, workload("climber3"), Join(token, request())), Welcome)


@pytest.mark.parametrize(
    "names",
    [
        [x509.UniformResourceIdentifier("spiffe://cluster.local/ns/payments/sa/default")],
        [x509.UniformResourceIdentifier("spiffe://cluster.local/ns/default/sa/default"), x509.DNSName("reviews")],
        [x509.UniformResourceIdentifier("spiffe://cluster.local/ns/default/sa/default/../admin")],
    ],
    ids=["other", "extra", "path"],
)
async def test_a_request_for_more_names_is_refused(console, token, names):
    await refused(console, workload(), Join(token, request(*names)), "identity")


async def test_a_stolen_agent_id_without_its_key_is_refused(agent, console):
    victim = await agent(workload("victim")).connect()
    stolen = lambda c: Prove(victim.serial, KEY.sign(proof(c.nonce, c.console), ec.ECDSA(hashes.SHA256())))  # noqa: E731
    await refused(console, workload("victim"), stolen, "proof")
    assert not victim.closed


async def test_a_token_that_was_never_made_is_refused(console):
    await refused(console, workload("guesser"), Join("mjt_" + "A" * 43, request()), "token")


def test_a_flood_of_refusals_does_not_fill_the_log():
    now = [0.0]
    told = Refusals(lambda: now[0])
    assert told.due("10.0.0.1", "default/a", "token") == 0
    assert told.due("10.0.0.1", "default/a", "token") is None, "the same again"
    assert sum(told.due("10.0.0.1", f"default/{i}", "token") is not None for i in range(1000)) == 29
    now[0] = 4000.0
    assert told.due("10.0.0.1", "default/a", "token") == 971, "how many were left out is said"
