"""The conversation with Envoy, as sequences of delta requests and responses."""

import pytest

from proxyagent.cache import Cache
from proxyagent.delta import Delta
from proxyagent.delta_words import (
    Asked,
    Complain,
    ConsoleCame,
    ConsoleWent,
    Elapsed,
    Keep,
    KeepClusters,
    Pushed,
    Report,
    Respond,
    SecretsRenewed,
    StreamClosed,
    StreamOpened,
)
from proxyagent.protocol import TYPE_URLS, Applied, Demand, Push, Resource
from proxyagent.wire import DeltaRequest, DeltaResource, DeltaResponse

from .playbook import Playbook


def r(name, version="1"):
    return Resource(name, version, f"{name}@{version}".encode())


def sent(name, version="1", aliases=()):
    return DeltaResource(name, version, f"{name}@{version}".encode(), tuple(aliases))


def asks(type_, *names, versions=None, unsubscribe=()):
    return Asked(DeltaRequest(TYPE_URLS[type_], tuple(names), tuple(unsubscribe), versions or {}))


def ack(type_, nonce):
    return Asked(DeltaRequest(TYPE_URLS[type_], nonce=str(nonce)))


def nack(type_, nonce, error="bad"):
    return Asked(DeltaRequest(TYPE_URLS[type_], nonce=str(nonce), error=error))


def answers(type_, nonce, *resources, removed=()):
    return Respond(DeltaResponse(TYPE_URLS[type_], str(nonce), tuple(resources), tuple(removed)))


def push(nonce=1, removed=None, aliases=None, **resources):
    return Push(nonce, {t: tuple(rs) for t, rs in resources.items()}, removed or {}, aliases or {})


FIRST = push(cds=[r("a")], eds=[r("a")], lds=[r("outbound")], rds=[r("outbound")], vhds=[r("outbound/a")])


def running(cache=None, hosts=True):
    """An Envoy that holds FIRST."""
    play = Playbook(Delta(cache or Cache().after(FIRST)))
    play >> ConsoleCame() >> StreamOpened()
    (
        play
        >> asks("cds")
        << answers("cds", 1, sent("a"))
        >> asks("eds", "a")
        << answers("eds", 2, sent("a"))
        >> ack("eds", 2)
        >> ack("cds", 1)
    )
    play >> asks("lds") << answers("lds", 3, sent("outbound")) >> ack("lds", 3)
    play >> asks("rds", "outbound") << answers("rds", 4, sent("outbound")) >> ack("rds", 4)
    play >> asks("vhds") << answers("vhds", 5, sent("outbound/a")) >> ack("vhds", 5)
    return play


def test_a_restarted_envoy_is_given_the_cache():
    running().end()


def test_an_envoy_without_configuration_is_told_at_once_that_there_is_none():
    play = Playbook(Delta())
    play >> StreamOpened() >> asks("cds") << answers("cds", 1) >> ack("cds", 1) >> asks("lds") << answers("lds", 2)
    play.end()


def test_a_push_that_waits_for_envoy_is_what_a_fresh_envoy_gets():
    play = Playbook(Delta())
    play >> ConsoleCame() >> Pushed(FIRST) >> StreamOpened()
    (
        play
        >> asks("cds")
        << answers("cds", 1, sent("a"))
        >> asks("eds", "a")
        << answers("eds", 2, sent("a"))
        >> ack("eds", 2)
        >> ack("cds", 1)
    )
    play >> asks("lds") << answers("lds", 3, sent("outbound")) >> ack("lds", 3)
    play >> asks("rds", "outbound") << answers("rds", 4, sent("outbound")) >> ack("rds", 4)
    play >> asks("vhds") << answers("vhds", 5, sent("outbound/a")) >> ack("vhds", 5) << Keep(FIRST) << Report(Applied(1))
    play.end()
    assert play.session.cache == Cache().after(FIRST)


def test_new_things_come_before_the_routes_that_use_them_and_removals_last():
    change = push(2, cds=[r("b")], eds=[r("b")], vhds=[r("outbound/a", "2")], removed={"cds": ("a",), "eds": ("a",)})
    play = running()
    play >> Pushed(change) << answers("cds", 6, sent("b")) >> asks("eds", "b") << answers("eds", 7, sent("b")) >> ack("eds", 7)
    play >> ack("cds", 6) << answers("vhds", 8, sent("outbound/a", "2")) >> ack("vhds", 8) << answers("cds", 9, removed=["a"])
    play >> ack("cds", 9) << Keep(change) << Report(Applied(2))
    play.end()


def test_a_changed_cluster_gets_its_endpoints_again_before_its_ack():
    change = push(2, cds=[r("a", "2")])
    play = running()
    play >> Pushed(change) << answers("cds", 6, sent("a", "2")) << answers("eds", 7, sent("a"))
    play >> ack("eds", 7) >> ack("cds", 6) << Keep(change) << Report(Applied(2))
    play.end()


def test_virtual_hosts_change_and_go_in_one_response():
    change = push(2, vhds=[r("outbound/b")], removed={"vhds": ("outbound/a",)})
    play = running()
    play >> Pushed(change) << answers("vhds", 6, sent("outbound/b"), removed=["outbound/a"])
    play >> ack("vhds", 6) << Keep(change) << Report(Applied(2))
    play.end()


def test_a_refusal_leads_envoy_back_for_every_name_already_sent():
    change = push(2, cds=[r("a", "2"), r("b")], vhds=[r("outbound/a", "2")])
    play = running()
    before = play.session.cache
    play >> Pushed(change) << answers("cds", 6, sent("a", "2"), sent("b")) << answers("eds", 7, sent("a"))
    play >> ack("eds", 7) >> nack("cds", 6, "b is bad")
    play << answers("cds", 8, sent("a")) << answers("eds", 9, sent("a")) >> ack("eds", 9) >> ack("cds", 8)
    play << answers("cds", 10, removed=["b"]) >> ack("cds", 10) << Report(Applied(2, {"cds": "b is bad"}))
    play.end()
    assert play.session.cache is before


def test_a_refused_addition_can_still_be_removed_and_the_next_push_works():
    change, after = push(2, vhds=[r("outbound/b")]), push(3, vhds=[r("outbound/a", "3")])
    play = running()
    play >> Pushed(change) << answers("vhds", 6, sent("outbound/b")) >> nack("vhds", 6, "same domain")
    play << Report(Applied(2, {"vhds": "same domain"}))
    play >> Pushed(after) << answers("vhds", 7, sent("outbound/a", "3")) >> ack("vhds", 7) << Keep(after) << Report(Applied(3))
    play.end()


def test_a_refusal_on_the_way_back_is_logged_and_does_not_loop():
    play = running()
    play >> Pushed(push(2, vhds=[r("outbound/a", "2")])) << answers("vhds", 6, sent("outbound/a", "2")) >> nack("vhds", 6, "no")
    play << answers("vhds", 7, sent("outbound/a")) >> nack("vhds", 7, "no again") << Complain("vhds", "no again")
    play << Report(Applied(2, {"vhds": "no"}))
    play.end()


def test_pushes_wait_for_one_another():
    one, two = push(2, vhds=[r("outbound/a", "2")]), push(3, vhds=[r("outbound/a", "3")])
    play = running()
    play >> Pushed(one) << answers("vhds", 6, sent("outbound/a", "2")) >> Pushed(two) >> ack("vhds", 6) << Keep(one) << Report(Applied(2))
    play << answers("vhds", 7, sent("outbound/a", "3")) >> ack("vhds", 7) << Keep(two) << Report(Applied(3))
    play.end()


def test_a_push_of_what_envoy_holds_already_sends_nothing():
    again = push(2, cds=[], vhds=[r("outbound/a")])
    running() >> Pushed(again) << Keep(again) << Report(Applied(2))


def test_an_envoy_that_stayed_is_sent_only_the_difference_after_an_agents_restart():
    play = Playbook(Delta(Cache().after(FIRST).after(push(cds=[r("b")], vhds=[r("outbound/a", "2")]))))
    play >> StreamOpened() >> asks("cds", versions={"a": "1", "old": "1"}) << answers("cds", 1, sent("b"), removed=["old"]) >> ack("cds", 1)
    (
        play
        >> asks("lds", versions={"outbound": "1"})
        >> asks("eds", "a", versions={"a": "1"})
        >> asks("rds", "outbound", versions={"outbound": "1"})
    )
    play >> asks("vhds", versions={"outbound/a": "1"}) << answers("vhds", 2, sent("outbound/a", "2"))
    play.end()


def test_an_unknown_host_is_asked_of_the_console_once_and_answered_by_its_push():
    found = push(2, cds=[r("b")], eds=[r("b")], vhds=[r("outbound/b:80")], aliases={"b": "outbound/b:80", "b:80": "outbound/b:80"})
    play = running()
    play >> asks("vhds", "outbound/b") << Report(Demand(virtual_hosts=("b",))) >> asks("vhds", "outbound/b")
    (
        play
        >> Pushed(found)
        << answers("cds", 6, sent("b"))
        >> asks("eds", "b")
        << answers("eds", 7, sent("b"))
        >> ack("eds", 7)
        >> ack("cds", 6)
    )
    play << answers("vhds", 8, sent("outbound/b:80", aliases=["outbound/b"])) >> ack("vhds", 8) << Keep(found) << Report(Applied(2))
    play >> asks("vhds", "outbound/b:80") << answers("vhds", 9, sent("outbound/b:80", aliases=["outbound/b", "outbound/b:80"]))
    play.end()
    assert play.session.hosts == ("b", "b:80")


def test_a_host_that_nobody_knows_is_answered_without_a_body_and_remembered():
    nobody = push(2, aliases={"x": ""})
    play = running()
    play >> asks("vhds", "outbound/x") << Report(Demand(virtual_hosts=("x",)))
    play >> Pushed(nobody) << answers("vhds", 6, DeltaResource("outbound/x", aliases=("outbound/x",))) >> ack("vhds", 6)
    (
        play
        << Keep(nobody)
        << Report(Applied(2))
        >> asks("vhds", "outbound/x")
        << answers("vhds", 7, DeltaResource("outbound/x", aliases=("outbound/x",)))
    )
    play.end()


@pytest.mark.parametrize(("console", "patience"), [(True, 5.0), (False, 1.0)])
def test_a_demand_that_stays_unanswered_ends_in_no_such_host(console, patience):
    play = running()
    if not console:
        play >> ConsoleWent()
    play >> asks("vhds", "outbound/x")
    if console:
        play << Report(Demand(virtual_hosts=("x",)))
    assert play.session.wake_at() == patience
    assert play.session.hosts == ("x",)
    play.at(patience) >> Elapsed() << answers("vhds", 6, DeltaResource("outbound/x", aliases=("outbound/x",)))
    play.end()


def test_an_authority_is_forgotten_with_its_virtual_host():
    known = Cache().after(FIRST).after(push(aliases={"a": "outbound/a"}))
    assert known.after(push(removed={"vhds": ("outbound/a",)})).aliases == {}


def test_a_cluster_asked_for_by_name_comes_from_the_cache_or_from_the_console():
    found = push(2, cds=[r("b")])
    play = running()
    play >> asks("cds", "a") << answers("cds", 6, sent("a")) >> asks("cds", "b") << Report(Demand(clusters=("b",)))
    (
        play
        >> Pushed(found)
        << answers("cds", 7, sent("b"))
        << KeepClusters(("b",))
        >> ack("cds", 6)
        >> ack("cds", 7)
        << Keep(found)
        << Report(Applied(2))
    )
    play.end()
    assert play.session.clusters == ("b",)


def test_endpoints_that_nobody_has_end_envoys_wait():
    running() >> asks("eds", "ghost") << answers("eds", 6, removed=["ghost"])


def test_secrets_are_served_and_renewed_while_envoy_runs():
    play = running() >> asks("sds", "default", "ROOTCA")
    play >> SecretsRenewed((r("default"), r("ROOTCA"))) << answers("sds", 6, sent("default"), sent("ROOTCA"))
    play >> ack("sds", 6) >> SecretsRenewed((r("default", "2"), r("ROOTCA"))) << answers("sds", 7, sent("default", "2"))
    play.end()


def test_a_refused_secret_is_logged():
    play = running() >> SecretsRenewed((r("default"),)) >> asks("sds", "default") << answers("sds", 6, sent("default"))
    play >> nack("sds", 6, "bad key") << Complain("sds", "bad key")
    play.end()


def test_an_envoy_that_dies_in_the_middle_of_a_push_is_given_it_again_once():
    change = push(2, vhds=[r("outbound/a", "2")])
    play = running() >> Pushed(change) << answers("vhds", 6, sent("outbound/a", "2")) >> StreamClosed() >> StreamOpened()
    play >> asks("cds") << answers("cds", 7, sent("a")) >> StreamClosed()
    play << Report(Applied(2, {"vhds": "Envoy stopped twice while it was taking this push"}))
    play.end()


def test_an_envoy_that_does_not_answer_is_an_error_after_half_a_minute():
    play = running() >> Pushed(push(2, vhds=[r("outbound/a", "2")])) << answers("vhds", 6, sent("outbound/a", "2"))
    assert play.session.wake_at() == 30.0
    play.at(30.0) >> Elapsed() << answers("vhds", 7, sent("outbound/a")) >> ack("vhds", 7)
    play << Report(Applied(2, {"vhds": "Envoy has not answered for 30 s"}))
    play.end()


def test_a_push_whose_console_went_away_is_finished_and_kept_but_not_reported():
    change = push(2, vhds=[r("outbound/a", "2")])
    play = running() >> Pushed(change) << answers("vhds", 6, sent("outbound/a", "2")) >> ConsoleWent() >> ack("vhds", 6) << Keep(change)
    play.end()


def test_a_stage_does_not_wait_for_ever_for_a_subscription_that_never_comes():
    change = push(2, cds=[r("dns")], eds=[r("dns")])
    play = running() >> Pushed(change) << answers("cds", 6, sent("dns")) >> ack("cds", 6)
    assert play.session.wake_at() == 2.0
    play.at(2.0) >> Elapsed() << Keep(change) << Report(Applied(2))
    play.end()


def test_an_address_moves_between_listeners_in_one_response():
    change = push(2, lds=[r("new")], removed={"lds": ("outbound",)})
    play = (
        running()
        >> Pushed(change)
        << answers("lds", 6, sent("new"), removed=["outbound"])
        >> ack("lds", 6)
        << Keep(change)
        << Report(Applied(2))
    )
    play.end()
