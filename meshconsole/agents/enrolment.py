"""
Who is this, and may it be that: from Hello and Join or Prove to a Welcome. Blocks on the database; the consumer runs it in a thread.

Joining happens in one transaction: a join token is not spent on an agent that is refused for another reason.
"""

import contextlib
import datetime
from dataclasses import dataclass

import msgspec
from django.conf import settings
from django.db import transaction

from meshconsole.accounts import audit
from meshconsole.accounts.author import Author
from meshconsole.ca import bundles, heads, issuing, proving, renewing, tokens
from meshconsole.ca.issuing import SVID, Refusal
from meshconsole.ca.models import Bundle
from meshconsole.ca.subject import Subject
from meshconsole.core.mesh.spiffe import Identity
from meshconsole.discovery import membership, refusals, registry
from meshconsole.discovery.platforms import agents
from meshconsole.xds.link import Facts
from meshconsole.xds.models import ProxyRecord
from proxyagent import protocol


@dataclass(frozen=True)
class Enrolled:
    facts: Facts
    welcome: protocol.Welcome
    workload: protocol.Workload
    """What it says, and what its WorkloadGroup says of it."""
    assigned: protocol.Assigned | None = None
    """To be told to the member of a group."""


def console_name() -> str:
    return str(settings.TRUST_DOMAIN)


def check_protocol(hello: protocol.Hello) -> None:
    if hello.protocol != protocol.PROTOCOL:
        raise _other_protocol(hello.protocol)


def first_frame(data: bytes) -> protocol.FromAgent:
    """The first frame may come from an agent whose Hello we do not know: it gets a clear answer. Raises Refusal or protocol.Malformed."""
    try:
        return protocol.decode_from_agent(data)
    except protocol.Malformed:
        try:
            loose = msgspec.msgpack.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            loose = None
        if isinstance(loose, dict) and loose.get("type") == "Hello" and loose.get("protocol") != protocol.PROTOCOL:
            raise _other_protocol(loose.get("protocol")) from None
        raise


def _other_protocol(theirs: object) -> Refusal:
    older = isinstance(theirs, int) and theirs < protocol.PROTOCOL
    who = "agent" if older else "console"
    return Refusal("protocol", f"the agent speaks protocol {theirs!r:.20}, this console {protocol.PROTOCOL}: upgrade the {who}")


def enrol(
    hello: protocol.Hello, answer: protocol.Join | protocol.Prove, challenge: protocol.Challenge, address: str, now: datetime.datetime
) -> Enrolled:
    """Raises Refusal."""
    try:
        assigned = membership.assigned(hello.workload)
    except refusals.Refused as e:
        raise Refusal("group", str(e)) from e
    spec = assigned.workload if assigned else hello.workload
    proxy_id = f"{spec.namespace}/{spec.name}"
    requested = Identity(settings.TRUST_DOMAIN, spec.namespace, spec.service_account)
    subject = Subject.of(spec.name, spec.labels)
    head = heads.number()
    # Only joining writes in any case; a thousand agents that come back at once shall not queue for SQLite's one writer.
    with transaction.atomic() if isinstance(answer, protocol.Join) else contextlib.nullcontext():
        if isinstance(answer, protocol.Join):
            svid = issuing.issue(
                answer.csr,
                proxy_id=proxy_id,
                requested=requested,
                prove=lambda: tokens.redeem(answer.token, now),
                subject=subject,
                now=now,
                address=address,
            )
            welcome, serial, bundle = _welcome(proxy_id, svid), svid.serial, svid.bundle
        else:
            row = proving.prove(answer.serial, answer.signature, protocol.proof(challenge.nonce, challenge.console), now)
            if proving.identity(row) != requested or row.proxy_id != proxy_id:
                raise Refusal(
                    "identity", f"the certificate is {row.proxy_id}'s ({row.identity}), but {proxy_id} ({requested}) was asked for"
                )
            renewing.taken_up(row)
            bundle = bundles.newest(now)
            welcome = _same(proxy_id, str(requested), renewing.due(row, subject, now), bundle)
            serial = row.serial
        try:
            agents.hello(spec, now, said=hello.workload if assigned else None, probed=bool(assigned and assigned.probe))
            if assigned and isinstance(answer, protocol.Join):
                who = Author(str(requested), address=address)
                audit.record(who, "register", f"WorkloadEntry {proxy_id} (WorkloadGroup {spec.namespace}/{spec.group})")
        except refusals.Taken as e:
            raise Refusal("identity", str(e)) from e
        except refusals.Refused as e:
            raise Refusal("malformed", str(e)) from e
    record = ProxyRecord.objects.filter(pk=proxy_id).values_list("told", "bundle", "taken").first()
    told, believes, taken = record or ("", "", "")
    if believes == bundle.digest and not welcome.certificate:
        welcome = msgspec.structs.replace(welcome, trust_bundle=b"")  # empty: keep yours
    facts = Facts(
        spec.namespace,
        spec.name,
        spec.kind,
        spec.service_account,
        address,
        hello.agent_version,
        hello.envoy_version,
        serial,
        now,
        told,
        believes,
        taken,
        bundle.number,
        head,
        spec.group,
    )
    return Enrolled(facts, welcome, spec, assigned)


def goodbye(name: tuple[str, str], hub: str, now: datetime.datetime) -> None:
    """Of an agent that is connected to this hub. One that is connected elsewhere by now (restarted, and quicker than its last word) stays."""
    if ProxyRecord.objects.filter(pk="/".join(name), connected=True).exclude(hub=hub).exists():
        return
    agents.goodbye(name)
    renewing.give_back("/".join(name), now)


def renew(facts: Facts, labels: dict[str, str], csr: bytes, now: datetime.datetime) -> SVID:
    """Raises Refusal."""
    if facts.group and (member := registry.find((facts.namespace, facts.name))) is not None:
        labels = member.labels  # as its group says now
    return renewing.renew(facts.serial, csr, subject=Subject.of(facts.name, labels), now=now, address=facts.address)


def _welcome(proxy_id: str, svid: SVID) -> protocol.Welcome:
    return protocol.Welcome(
        proxy_id, svid.identity, svid.trust_bundle, svid.chain, heartbeat=settings.AGENT_HEARTBEAT, renew_at=svid.renew_at
    )


def _same(proxy_id: str, identity: str, renew_at: datetime.datetime, bundle: Bundle) -> protocol.Welcome:
    """What it proved is still the right certificate; when its time to renew has passed, the agent asks at once."""
    return protocol.Welcome(proxy_id, identity, bundle.pem.encode(), heartbeat=settings.AGENT_HEARTBEAT, renew_at=renew_at.timestamp())
