import datetime

import pytest

from meshconsole.core.envoy.resource_set import Blob, Origin, ResourceSet, XdsType
from meshconsole.xds import session as s
from meshconsole.xds.link import MAX_HOSTS, Facts, Link, State
from proxyagent import protocol
from proxyagent.cache import Cache

NOW = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
CDS = XdsType.CDS


class Fake:
    """The agent's side of a link: what it is sent, as its cache takes it."""

    def __init__(self, told: str = ""):
        facts = Facts("default", "a", "sidecar", "default", "127.0.0.1", "1", "1", "ab", NOW, told)
        self.frames: list[protocol.FromConsole] = []
        self.link = Link(facts, lambda data: self.frames.append(protocol.decode_from_console(data)), lambda refused: None)
        self.cache = Cache()

    def answer(self, revision: int, **errors: str) -> None:
        push = self.frames[-1]
        assert isinstance(push, protocol.Push)
        if not errors:
            self.cache = self.cache.after(push)
        self.link.applied(protocol.Applied(push.nonce, errors), revision)  # type: ignore[arg-type]


def resources(**clusters: str) -> ResourceSet:
    return ResourceSet({(CDS, n): Blob(CDS, n, v, v.encode(), (Origin("DestinationRule", "default", n),)) for n, v in clusters.items()})


@pytest.fixture
def fake() -> Fake:
    fake = Fake()
    fake.link.handle(s.Reported(s.EMPTY), 0)
    return fake


def test_what_it_is_offered_arrives_as_the_agent_will_hold_it(fake):
    fake.link.offer(resources(a="1", b="1"), 1)
    fake.answer(1)
    fake.link.offer(resources(b="2"), 2)
    fake.answer(2)
    assert fake.cache.versions() == {"cds": {"b": "2"}} and fake.cache.digest() == s.digest(resources(b="2"))
    assert fake.link.counts == {"cds": 1}


def test_what_is_nothing_new_is_not_offered(fake):
    first = resources(a="1")
    assert fake.link.offer(first, 1)
    fake.answer(1)
    assert not fake.link.offer(first, 2) and not fake.link.offer(ResourceSet(dict(first.blobs), {}), 3)
    assert len(fake.frames) == 1 and fake.link.pending_from is None


def test_an_outbound_listener_that_cannot_be_bound_is_gone_without(fake):
    def listening(**more: str) -> ResourceSet:
        names = {"127.0.0.1_3306": "1", "outbound": "1", **more}
        return ResourceSet({(XdsType.LDS, n): Blob(XdsType.LDS, n, v, v.encode(), ()) for n, v in names.items()})

    first = listening()
    fake.link.offer(first, 1)
    fake.answer(1, lds="Error adding/updating listener(s) 127.0.0.1_3306: cannot bind '127.0.0.1:3306': Address already in use\n")
    fake.answer(1)
    assert fake.link.state is State.SYNCED and fake.link.problems == {}
    assert fake.link.unbound == {"127.0.0.1_3306": "Address already in use"}
    assert fake.cache.versions() == {"lds": {"outbound": "1"}}
    assert not fake.link.offer(first, 2)
    fake.link.offer(listening(outbound="2"), 3)
    fake.answer(3)
    assert fake.cache.versions() == {"lds": {"outbound": "2"}} and fake.link.state is State.SYNCED
    # Its place is free again: it is offered once more, and bound.
    assert fake.link.lacking == {"127.0.0.1_3306": "Address already in use"}
    assert fake.link.retry() and fake.link.lacking and fake.link.offer(listening(outbound="2"), 4)
    fake.answer(4)
    assert fake.cache.versions() == {"lds": {"outbound": "2", "127.0.0.1_3306": "1"}} and fake.link.lacking == {}
    assert not fake.link.retry()


def test_a_listener_that_nobody_wants_any_more_is_not_lacking(fake):
    listener = ResourceSet({(XdsType.LDS, "127.0.0.1_3306"): Blob(XdsType.LDS, "127.0.0.1_3306", "1", b"1")})
    fake.link.offer(listener, 1)
    fake.answer(1, lds="cannot bind '127.0.0.1:3306': Address already in use")
    fake.answer(1)
    assert fake.link.lacking
    assert fake.link.offer(ResourceSet({}), 2) and fake.link.lacking == {}


def test_an_inbound_listener_that_cannot_be_bound_stays_an_error(fake):
    fake.link.offer(ResourceSet({(XdsType.LDS, "inbound|80"): Blob(XdsType.LDS, "inbound|80", "1", b"1")}), 1)
    fake.answer(1, lds="Error adding/updating listener(s) inbound|80: cannot bind '127.0.0.1:80': Permission denied\n")
    assert fake.link.state is State.NACKED and len(fake.frames) == 1


class TestRevisions:
    def test_it_lacks_what_it_has_not_answered_and_has_taken_what_it_has(self, fake):
        fake.link.offer(resources(a="1"), 4)
        assert (fake.link.state, fake.link.pending_from, fake.link.pending_to) == (State.STALE, 4, 4)
        fake.link.offer(resources(a="2"), 6)
        assert (fake.link.pending_from, fake.link.pending_to) == (4, 6)
        fake.answer(6)
        assert (fake.link.state, fake.link.pending_from) == (State.STALE, 4)
        fake.answer(6)
        assert (fake.link.state, fake.link.pending_from, fake.link.taken, fake.link.synced_revision) == (State.SYNCED, None, (4, 6), 6)

    def test_a_refused_revision_is_the_one_that_it_lacks(self, fake):
        fake.link.offer(resources(a="1", b="1"), 1)
        fake.answer(1)
        fake.link.offer(resources(a="2", b="1"), 2)
        fake.answer(2, cds="no")
        assert (fake.link.state, fake.link.pending_from, fake.link.pending_to, fake.link.nacked_revision) == (State.NACKED, 2, 2, 2)
        assert fake.link.problems == {"cds": {"error": "no", "policies": ["DestinationRule default/a"]}}

        fake.link.offer(resources(a="2", b="2"), 3)
        assert (fake.link.pending_from, fake.link.pending_to) == (2, 3)
        fake.answer(3)
        assert (fake.link.state, fake.link.pending_from, fake.link.pending_to, fake.link.nacked_revision) == (State.NACKED, 2, 2, 2)

        fake.link.offer(resources(a="3", b="2"), 4)
        assert fake.link.nacked_revision is None and fake.link.state == State.STALE
        fake.answer(4)
        assert (fake.link.state, fake.link.pending_from, fake.link.problems) == (State.SYNCED, None, {})

    def test_an_agent_that_holds_what_it_should_has_taken_everything(self):
        fake = Fake(told=s.digest_of_aliases({}))
        fake.link.handle(s.Reported(s.digest(resources(a="1")), fake.link.facts.told), 0)
        fake.link.offer(resources(a="1"), 9)
        assert fake.frames == [] and (fake.link.state, fake.link.synced_revision) == (State.SYNCED, 9)


class TestDemand:
    def test_it_grows_by_what_is_new(self, fake):
        assert fake.link.ask(["a:80"], ["outbound|80||b"]) and not fake.link.ask(["a:80"], ())
        assert fake.link.demand.hosts == {"a:80"} and fake.link.demand.clusters == {"outbound|80||b"}

    def test_what_is_beyond_the_limits_is_answered_as_unknown(self, fake):
        fake.link.ask([f"h{i:05}:80" for i in range(MAX_HOSTS)], ())
        assert not fake.link.ask(["one-more:80", "x" * 301], ["y" * 301])
        (push,) = fake.frames
        assert push.aliases == {"one-more:80": "", "x" * 301: ""} and push.nonce == 0
        assert len(fake.link.demand.hosts) == MAX_HOSTS


def test_more_than_an_agent_takes_at_once_is_a_refusal_with_what_to_do_and_a_smaller_set_goes_out(fake, monkeypatch):
    monkeypatch.setattr(protocol, "MAX_PUSH", 1 << 20)
    large = ResourceSet({(CDS, "a"): Blob(CDS, "a", "1", b"x" * (1 << 20), (Origin("DestinationRule", "default", "a"),))})
    fake.link.offer(large, 1)
    assert fake.frames == [] and fake.link.state is State.NACKED
    assert "narrow what it sees by a Sidecar" in fake.link.problems["cds"]["error"]
    fake.link.offer(resources(b="1"), 2)
    fake.answer(2)
    assert fake.link.state is State.SYNCED and fake.cache.versions() == {"cds": {"b": "1"}}
