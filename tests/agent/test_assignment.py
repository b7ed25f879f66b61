"""What a console makes of the member of a group, as its agent takes it."""

import msgspec

from proxyagent import protocol
from proxyagent.assignment import Assignment
from proxyagent.protocol import Assigned, Challenge, Probe, TcpProbe, Welcome, Workload
from proxyagent.session import Adopt, Begin, Connected, Elapsed, Install, Installed, MakeKey, Received, Send, Session, Sign, Signed

from .playbook import Playbook

SAID = Workload("default", "vm-10.0.0.7", service_account="", weight=0, address="10.0.0.7", group="vm")
V1 = Assigned(msgspec.structs.replace(SAID, service_account="db", labels={"version": "v1"}), Probe(TcpProbe(5432)))
V2 = Assigned(msgspec.structs.replace(V1.workload, labels={"version": "v2"}), V1.probe)
WELCOME = Welcome("default/vm-10.0.0.7", "spiffe://x", b"", renew_at=5000.0)


def ready() -> Playbook:
    book = Playbook(Session(SAID, token="", serial="ab", agent_version="1", envoy_version="1", renew_at=5000.0), now=100.0)
    book >> Connected() << Send(protocol.Hello(protocol.PROTOCOL, "1", "1", SAID))
    book >> Received(Challenge(b"n", "c")) << Sign(protocol.proof(b"n", "c"))
    book >> Signed(b"s") << Send(protocol.Prove("ab", b"s"))
    book >> Received(WELCOME) << Install(b"", b"", 5000.0, "spiffe://x", "default/vm-10.0.0.7") << Begin(20.0)
    book >> Installed("ab", 5000.0)
    return book


def test_what_the_group_says_is_adopted_and_the_certificate_stays():
    book = ready()
    book >> Received(V1) << Adopt(V1)
    assert book.session.wake_at() == 5000.0


def test_other_labels_need_another_certificate_at_once():
    book = ready()
    book >> Received(V1) << Adopt(V1)
    book >> Received(V2) << Adopt(V2)
    book >> Elapsed() << MakeKey()
    book.end()


def test_a_host_that_boots_without_its_console_is_what_it_was(tmp_path):
    first = Assignment(tmp_path / "assigned", SAID)
    assert first.workload == SAID and first.adopt(V1) and not first.adopt(V1)
    assert Assignment(tmp_path / "assigned", SAID).frame == V1


def test_a_host_that_became_something_else_is_not(tmp_path):
    Assignment(tmp_path / "assigned", SAID).adopt(V1)
    for other in (
        msgspec.structs.replace(SAID, group="web"),
        msgspec.structs.replace(SAID, name="b"),
        msgspec.structs.replace(SAID, group=""),
    ):
        assert Assignment(tmp_path / "assigned", other).workload == other


def test_the_frame_survives_the_wire():
    assert protocol.decode_from_console(protocol.encode(V1)) == V1
