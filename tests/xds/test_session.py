from meshconsole.core.envoy.resource_set import Blob, Failure, Origin, ResourceSet, XdsType
from meshconsole.xds.session import (
    EMPTY,
    Acked,
    AskState,
    Command,
    Compiled,
    Event,
    Listed,
    Nacked,
    RecordStatus,
    Reported,
    SendDelta,
    Session,
    culprits,
    digest,
    digest_of_aliases,
)

CDS, EDS, LDS, VHDS = XdsType.CDS, XdsType.EDS, XdsType.LDS, XdsType.VHDS
_blobs: dict[tuple[XdsType, str, str], Blob] = {}


def blob(type_: XdsType, name: str, version: str) -> Blob:
    return _blobs.setdefault((type_, name, version), Blob(type_, name, version, version.encode()))


def resources(aliases: dict[str, str] | None = None, /, *, eds: dict[str, str] | None = None, **clusters: str) -> ResourceSet:
    blobs = [blob(CDS, n, v) for n, v in clusters.items()] + [blob(EDS, n, v) for n, v in (eds or {}).items()]
    return ResourceSet({(b.type, b.name): b for b in blobs}, aliases or {})


def send(nonce: int, *removed: str, aliases: dict[str, str] | None = None, eds: dict[str, str] | None = None, **changed: str) -> SendDelta:
    blobs = [blob(CDS, n, v) for n, v in changed.items()] + [blob(EDS, n, v) for n, v in (eds or {}).items()]
    return SendDelta(nonce, tuple(blobs), tuple((CDS, n) for n in removed), aliases or {})


def play(session: Session, *steps: tuple[Event, list[Command]]) -> Session:
    for number, (event, expected) in enumerate(steps):
        assert list(session.handle(event)) == expected, (number, event)
    return session


def started(**clusters: str) -> Session:
    """A session in sync with these."""
    have = resources(**clusters)
    session = play(Session(), (Reported(digest(have), digest_of_aliases({})), []))
    return play(session, (Compiled(have), [RecordStatus(True)] if clusters else []))


SYNCED, STALE = RecordStatus(True), RecordStatus(False)


def refused(sentence: str = "bad") -> RecordStatus:
    return RecordStatus(False, {CDS: sentence})


def no(nonce: int, sentence: str = "bad") -> Nacked:
    return Nacked(nonce, {CDS: sentence})


class TestBeginning:
    def test_a_new_agent_is_sent_everything_without_being_asked(self):
        play(Session(), (Reported(EMPTY), []), (Compiled(resources(a="1")), [send(1, a="1")]), (Acked(1), [SYNCED]))

    def test_nothing_is_sent_to_who_has_just_what_is_desired(self):
        desired = resources({"a:80": "outbound/a"}, a="1")
        play(Session(), (Reported(digest(desired), digest_of_aliases(desired.aliases)), []), (Compiled(desired), [SYNCED]))

    def test_nothing_is_decided_before_the_agent_has_reported(self):
        play(Session(), (Compiled(resources(a="1")), []), (Reported(EMPTY), [send(1, a="1")]))

    def test_another_digest_is_answered_with_a_question_and_then_with_the_difference(self):
        play(
            Session(),
            (Reported("something else"), []),
            (Compiled(resources(a="1", b="2")), [AskState()]),
            (Listed({(CDS, "a"): "1", (CDS, "b"): "1", (CDS, "c"): "1"}), [send(1, "c", b="2")]),
            (Acked(1), [SYNCED]),
        )

    def test_who_lists_just_what_is_desired_is_in_sync(self):
        play(Session(), (Reported("x"), []), (Compiled(resources(a="1")), [AskState()]), (Listed({(CDS, "a"): "1"}), [SYNCED]))

    def test_a_change_while_the_list_is_awaited_goes_into_the_difference(self):
        play(
            Session(),
            (Reported("x"), []),
            (Compiled(resources(a="1")), [AskState()]),
            (Compiled(resources(a="2")), []),
            (Listed({(CDS, "a"): "1"}), [send(1, a="2")]),
        )

    def test_a_list_nobody_asked_for_changes_nothing(self):
        play(started(a="1"), (Listed({}), []), (Compiled(resources(a="1")), []))


class TestInFlight:
    def test_a_burst_collapses_to_the_newest(self):
        play(
            started(),
            (Compiled(resources(a="1")), [send(1, a="1")]),
            (Compiled(resources(a="2")), []),
            (Compiled(resources(b="1")), []),
            (Acked(1), [STALE, send(2, "a", b="1")]),
            (Acked(2), [SYNCED]),
        )

    def test_a_change_that_was_taken_back_in_time_is_not_sent(self):
        play(
            started(a="1"),
            (Compiled(resources(a="2")), [send(1, a="2")]),
            (Compiled(resources(a="3")), []),
            (Compiled(resources(a="2")), []),
            (Acked(1), [SYNCED]),
        )

    def test_a_late_answer_changes_nothing(self):
        play(
            started(),
            (Compiled(resources(a="1")), [send(1, a="1")]),
            (Acked(7), []),
            (no(7), []),
            (Acked(1), [SYNCED]),
            (Acked(1), []),
        )


class TestRefusal:
    def test_bytes_that_were_refused_are_not_offered_twice(self):
        play(
            started(a="1"),
            (Compiled(resources(a="2")), [send(1, a="2")]),
            (no(1), [refused()]),
            (Compiled(resources(a="2")), []),
            (Compiled(resources(a="3")), [send(2, a="3")]),
            (Acked(2), [SYNCED]),
        )

    def test_going_back_after_a_refusal_sends_the_old_bytes_again(self):
        play(
            started(a="1"),
            (Compiled(resources(a="2")), [send(1, a="2")]),
            (no(1), [refused()]),
            (Compiled(resources(a="1")), [send(2, a="1")]),
            (Acked(2), [SYNCED]),
        )

    def test_a_refused_addition_can_still_be_removed(self):
        play(
            started(),
            (Compiled(resources(a="1")), [send(1, a="1")]),
            (no(1), [refused()]),
            (Compiled(resources()), [send(2, "a")]),
            (Acked(2), [SYNCED]),
        )

    def test_other_changes_still_go_out_while_one_is_refused(self):
        play(
            started(a="1", b="1"),
            (Compiled(resources(a="2", b="1")), [send(1, a="2")]),
            (no(1), [refused()]),
            (Compiled(resources(a="2", b="2")), [send(2, b="2")]),
            (Acked(2), [refused()]),
            (Compiled(resources(a="1", b="2")), [send(3, a="1")]),
            (Acked(3), [SYNCED]),
        )

    def test_what_was_refused_together_is_held_back_together(self):
        """Half of a refused change could send traffic to what does not exist."""
        play(
            started(a="1", gone="1"),
            (Compiled(resources(a="2", new="1")), [send(1, "gone", a="2", new="1")]),
            (no(1), [refused()]),
            (Compiled(resources(a="2", new="1", other="1")), [send(2, other="1")]),
            (Acked(2), [refused()]),
            (Compiled(resources(a="2", new="2", other="1")), [send(3, "gone", a="2", new="2")]),
            (Acked(3), [SYNCED]),
        )

    def test_endpoints_of_clusters_that_stay_flow_whatever_is_refused(self):
        play(
            started(a="1"),
            (Compiled(resources(a="1", eds={"a": "1"})), [send(1, eds={"a": "1"})]),
            (Acked(1), [SYNCED]),
            (Compiled(resources(a="2", eds={"a": "2"})), [send(2, a="2", eds={"a": "2"})]),
            (no(2), [refused(), send(3, eds={"a": "2"})]),
            (Acked(3), [refused()]),
            (Compiled(resources(a="2", eds={"a": "3"})), [send(4, eds={"a": "3"})]),
        )

    def test_a_newer_state_follows_a_refusal_at_once(self):
        play(
            started(a="1"),
            (Compiled(resources(a="2")), [send(1, a="2")]),
            (Compiled(resources(a="3")), []),
            (no(1), [refused(), send(2, a="3")]),
            (Acked(2), [SYNCED]),
        )


class TestAliases:
    HOST = blob(VHDS, "outbound/a:80", "1")
    HELD = {(VHDS, "outbound/a:80"): HOST}

    def test_an_authority_is_told_with_its_virtual_host(self):
        desired = ResourceSet(dict(self.HELD), {"a": "outbound/a:80"})
        play(started(), (Compiled(desired), [SendDelta(1, (self.HOST,), (), {"a": "outbound/a:80"})]), (Acked(1), [SYNCED]))

    def test_another_spelling_of_a_known_host_costs_no_resource(self):
        session = started()
        play(
            session,
            (Compiled(ResourceSet(dict(self.HELD), {"a": "outbound/a:80"})), [SendDelta(1, (self.HOST,), (), {"a": "outbound/a:80"})]),
        )
        both = ResourceSet(dict(self.HELD), {"a": "outbound/a:80", "a.default": "outbound/a:80"})
        play(session, (Acked(1), [SYNCED]), (Compiled(both), [SendDelta(2, (), (), {"a.default": "outbound/a:80"})]), (Acked(2), [SYNCED]))

    def test_an_authority_is_forgotten_with_its_virtual_host(self):
        session = started()
        with_host = ResourceSet(dict(self.HELD), {"a": "outbound/a:80"})
        play(session, (Compiled(with_host), [SendDelta(1, (self.HOST,), (), {"a": "outbound/a:80"})]), (Acked(1), [SYNCED]))
        play(session, (Compiled(ResourceSet()), [SendDelta(2, (), ((VHDS, "outbound/a:80"),), {})]), (Acked(2), [SYNCED]))
        play(session, (Compiled(with_host), [SendDelta(3, (self.HOST,), (), {"a": "outbound/a:80"})]))

    def test_what_the_digest_does_not_cover_is_told_again_unless_it_is_remembered(self):
        desired = ResourceSet(dict(self.HELD), {"a": "outbound/a:80"})
        play(Session(), (Reported(digest(desired), "not known"), []), (Compiled(desired), [SendDelta(1, (), (), {"a": "outbound/a:80"})]))


def test_the_policies_behind_a_refusal_are_those_of_the_resource_that_envoy_names():
    mine, other = Origin("DestinationRule", "default", "mine"), Origin("VirtualService", "default", "other")
    sent = (Blob(CDS, "outbound|80||a", "1", b"", (mine,)), Blob(CDS, "outbound|80||b", "1", b"", (other,)))
    assert culprits(sent, {CDS: "Error adding cluster outbound|80||a: no"}) == (mine,)
    assert culprits(sent, {CDS: "no idea which"}) == (mine, other)
    assert culprits(sent, {LDS: "listener"}) == (mine, other)


def test_while_a_part_could_not_be_compiled_nothing_is_taken_away():
    session = started(a="1", b="1")
    broken = resources(a="2")
    broken = ResourceSet(broken.blobs, {}, (Failure("host b", (), "ZeroDivisionError", lost=True),))
    play(session, (Compiled(broken), [send(1, a="2")]), (Acked(1), [SYNCED]))
    play(session, (Compiled(resources(a="2")), [send(2, "b")]))  # compiled again, and not wanted: now it goes
