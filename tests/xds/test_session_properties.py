"""Whatever happens in whatever order, the agent ends up with just what is desired. The model of the agent is its real cache."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from meshconsole.core.envoy.resource_set import ResourceSet, XdsType
from meshconsole.xds import session as s
from meshconsole.xds.link import encode
from meshconsole.xds.session import Session
from proxyagent import protocol
from proxyagent.cache import Cache

from .test_session import blob

NAMES = ("a", "b", "c")
BAD = "9"
"""The version that this Envoy refuses."""
versions = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["1", "2", "3", BAD]), max_size=3)
steps = st.lists(
    st.one_of(st.builds(lambda d: ("want", d), versions), st.just(("answer", None)), st.just(("reconnect", None))), max_size=30
)


def desired(clusters: dict[str, str], hosts: dict[str, str]) -> ResourceSet:
    blobs = [blob(XdsType.CDS, n, v) for n, v in clusters.items()] + [blob(XdsType.VHDS, f"outbound/{n}", v) for n, v in hosts.items()]
    return ResourceSet({(b.type, b.name): b for b in blobs}, {n: f"outbound/{n}" for n in hosts})


class Proxy:
    def __init__(self) -> None:
        self.cache = Cache()
        self.session = Session()
        self.waiting: list[protocol.Push] = []
        self.refused: list[frozenset[tuple[str, str]]] = []
        self.connect()

    def connect(self) -> None:
        wanted = self.session.desired
        self.session, self.waiting, self.refused = Session(), [], []
        self.do(s.Reported(self.cache.digest(), s.digest_of_aliases(self.cache.aliases)))
        if wanted is not None:
            self.do(s.Compiled(wanted))

    def do(self, event: s.Event) -> None:
        for command in list(self.session.handle(event)):
            if isinstance(command, s.SendDelta):
                push = protocol.decode_from_console(encode(command))
                assert isinstance(push, protocol.Push)
                self.waiting.append(push)
                assert len(self.waiting) == 1, "two deltas in flight"
            elif isinstance(command, s.AskState):
                held = {(XdsType(t), n): v for t, names in self.cache.versions().items() for n, v in names.items()}
                self.do(s.Listed(held, self.cache.aliases))

    def answer(self) -> None:
        if not self.waiting:
            return
        push = self.waiting.pop()
        sent = frozenset((r.name, r.version) for names in push.resources.values() for r in names)
        if bad := [t for t, names in push.resources.items() if any(r.version == BAD for r in names)]:
            assert not self.refused or sent != self.refused[-1], "the same bytes are offered twice in a row"
            self.refused.append(sent)
            self.do(s.Nacked(push.nonce, {XdsType(t): "no" for t in bad}))
        else:
            self.cache = self.cache.after(push)
            self.do(s.Acked(push.nonce))
            if self.session.refused is None:
                self.refused.clear()  # what is wanted again later may be offered again

    def drain(self) -> None:
        for _ in range(20):
            self.answer()
        assert not self.waiting


@settings(max_examples=400, deadline=None)
@example([("want", {"a": BAD}), ("want", {"a": BAD, "b": BAD})], {}, {})
@given(steps, versions, versions)
def test_in_the_end_the_proxy_holds_just_what_is_desired(history, clusters, hosts):
    proxy = Proxy()
    for what, value in history:
        if what == "want":
            proxy.do(s.Compiled(desired(value, {n: v for n, v in value.items() if n != "b"})))
        elif what == "answer":
            proxy.answer()
        else:
            proxy.connect()
    good = desired({n: v.replace(BAD, "1") for n, v in clusters.items()}, {n: v.replace(BAD, "2") for n, v in hosts.items()})
    proxy.drain()
    proxy.do(s.Compiled(good))
    proxy.drain()
    assert {(XdsType(t), n): v for t, names in proxy.cache.versions().items() for n, v in names.items()} == {
        name: b.version for name, b in good.blobs.items()
    }
    assert proxy.cache.aliases == good.aliases
    assert proxy.session.refused is None and proxy.session.held is not None


@settings(max_examples=200, deadline=None)
@given(steps)
def test_what_was_refused_leaves_everything_else_flowing(history):
    """After any history: one bad cluster in the desired state, and an innocent one that changes."""
    proxy = Proxy()
    for what, value in history:
        if what == "want":
            proxy.do(s.Compiled(desired(value, {})))
        elif what == "answer":
            proxy.answer()
        else:
            proxy.connect()
    proxy.do(s.Compiled(desired({"a": "1", "c": "1"}, {})))
    proxy.drain()
    proxy.do(s.Compiled(desired({"a": BAD, "c": "1"}, {})))
    proxy.drain()
    assert proxy.cache.versions() == {"cds": {"a": "1", "c": "1"}} and proxy.session.refused is not None
    proxy.do(s.Compiled(desired({"a": BAD, "c": "2"}, {})))
    proxy.drain()
    assert proxy.cache.versions() == {"cds": {"a": "1", "c": "2"}} and proxy.session.refused is not None
