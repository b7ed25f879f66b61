"""The conversation with the console, as sequences of frames."""

import pytest

from proxyagent import protocol
from proxyagent.protocol import Challenge, Hello, Join, Prove, Push, Refused, SignRequest, Welcome, Workload, proof
from proxyagent.session import (
    Apply,
    Begin,
    Close,
    Connected,
    Elapsed,
    Forget,
    Install,
    Installed,
    KeyMade,
    ListVersions,
    Lost,
    MakeKey,
    NoKeyMade,
    Phase,
    Received,
    Send,
    Session,
    Sign,
    Signed,
    Tell,
)

from .playbook import Playbook

WORKLOAD = Workload("default", "reviews-v1")
HELLO = Send(Hello(protocol.PROTOCOL, "0.1.0", "1.40.0", WORKLOAD))
WELCOME = Welcome("default/reviews-v1", "spiffe://x", b"BUNDLE", b"CHAIN", 20.0, 500.0)
KNOWN = Welcome("default/reviews-v1", "spiffe://x", b"BUNDLE")
INSTALL = Install(b"BUNDLE", b"CHAIN", 500.0, "spiffe://x", "default/reviews-v1")


def session(serial="", token="mjt_x", renew_at=0.0):
    return Session(WORKLOAD, token=token, serial=serial, agent_version="0.1.0", envoy_version="1.40.0", renew_at=renew_at)


def ready(**kwargs):
    play = Playbook(session(serial="aa", **kwargs))
    play >> Connected() << HELLO >> Received(Challenge(b"n", "c")) << Sign(proof(b"n", "c")) >> Signed(b"s") << Send(Prove("aa", b"s"))
    return (
        play >> Received(KNOWN) << Install(b"BUNDLE", b"", kwargs.get("renew_at", 0.0), "spiffe://x", "default/reviews-v1") << Begin(20.0)
    )


def test_a_first_contact_joins_by_token_with_a_new_key():
    play = Playbook(session())
    play >> Connected() << HELLO
    play >> Received(Challenge(b"n", "c")) << MakeKey()
    play >> KeyMade(b"csr") << Send(Join("mjt_x", b"csr"))
    play >> Received(WELCOME) << INSTALL << Begin(20.0)
    play.end()
    assert play.session.phase is Phase.READY


def test_a_later_contact_proves_the_key_and_spends_no_token():
    ready().end()


def test_after_a_join_the_next_contact_proves_the_certificate_that_came():
    play = Playbook(session())
    play >> Connected() << HELLO >> Received(Challenge(b"n", "c")) << MakeKey() >> KeyMade(b"csr") << Send(Join("mjt_x", b"csr"))
    play >> Received(WELCOME) << INSTALL << Begin(20.0) >> Installed("bb", 500.0) >> Lost() >> Connected() << HELLO
    play >> Received(Challenge(b"m", "c")) << Sign(proof(b"m", "c")) >> Signed(b"s") << Send(Prove("bb", b"s"))
    play.end()


def test_a_signature_that_comes_after_the_connection_was_lost_is_not_sent():
    play = Playbook(session(serial="aa"))
    play >> Connected() << HELLO >> Received(Challenge(b"n", "c")) << Sign(proof(b"n", "c")) >> Lost() >> Signed(b"s")
    play.end()


def test_a_console_that_forgot_the_certificate_is_joined_again_by_token():
    play = Playbook(session(serial="aa"))
    play >> Connected() << HELLO >> Received(Challenge(b"n", "c")) << Sign(proof(b"n", "c")) >> Signed(b"s") << Send(Prove("aa", b"s"))
    play >> Received(Refused("proof", "unknown serial"))
    play << Close("the console refused the certificate (unknown serial); joining again by token", slowly=False)
    play >> Lost() >> Connected() << HELLO >> Received(Challenge(b"n", "c")) << MakeKey()
    play.end()


def test_an_evicted_agent_tries_its_token_once_and_then_slowly():
    play = Playbook(session(serial="aa"))
    play >> Connected() << HELLO >> Received(Refused("revoked", "evicted"))
    play << Close("the console refused the certificate (evicted); joining again by token", slowly=False)
    play >> Lost() >> Connected() << HELLO >> Received(Challenge(b"n", "c")) << MakeKey()
    play >> Received(Refused("revoked", "evicted"))
    play << Close("the console refused the certificate (evicted); joining again by token", slowly=True)
    play.end()


def test_an_evicted_agent_without_a_token_tries_slowly():
    play = Playbook(session(serial="aa", token=""))
    play >> Connected() << HELLO >> Received(Refused("revoked", "evicted"))
    play << Close("the console refused: evicted (revoked)", slowly=True)
    play >> Lost() >> Connected() << HELLO >> Received(Challenge(b"n", "c")) << Sign(proof(b"n", "c"))
    play.end()


def test_a_bundle_that_comes_alone_does_not_end_a_renewal_that_is_under_way():
    play = ready(renew_at=500.0).at(501.0)
    play >> Elapsed() << MakeKey()
    play >> Received(protocol.Certificate(b"NEW", renew_at=502.0)) << Install(b"NEW", b"", 502.0) >> Installed("aa", 502.0)
    play.at(503.0) >> Elapsed()
    play.end()


def test_a_refused_first_contact_is_fatal_and_a_busy_console_is_not():
    play = Playbook(session())
    (
        play
        >> Connected()
        << HELLO
        >> Received(Refused("token", "expired"))
        << Close("the console refused: expired (token)", slowly=True, fatal=True)
    )
    play >> Lost() >> Connected() << HELLO >> Received(Refused("busy", "later", retry=True)) << Close("the console refused: later (busy)")
    play.end()


def test_without_certificate_and_token_there_is_nothing_to_say():
    play = Playbook(session(token=""))
    play >> Connected() << HELLO >> Received(Challenge(b"n", "c"))
    play << Close("there is no certificate in the state directory and no join token was given", slowly=True, fatal=True)
    play.end()


def test_a_certificate_is_renewed_with_a_new_key_when_its_time_has_come():
    play = ready(renew_at=500.0)
    assert play.session.wake_at() == 500.0
    play.at(499.0) >> Elapsed()
    play.at(500.0) >> Elapsed() << MakeKey() >> Elapsed() >> KeyMade(b"csr2") << Send(SignRequest(b"csr2"))
    play >> Received(protocol.Certificate(b"BUNDLE", b"CHAIN2", 900.0)) << Install(b"BUNDLE", b"CHAIN2", 900.0) >> Installed("cc", 900.0)
    play.end()
    assert play.session.wake_at() == 900.0


def test_a_refused_renewal_is_tried_again():
    play = ready(renew_at=500.0).at(500.0)
    play >> Elapsed() << MakeKey() >> KeyMade(b"csr") << Send(SignRequest(b"csr"))
    play >> Received(protocol.Certificate(b"", error="the CA is locked"))
    assert 500.0 < play.session.wake_at() < 600.0
    play.at(600.0) >> Elapsed() << MakeKey()
    play.end()


def test_a_new_trust_bundle_alone_keeps_certificate_and_renewal():
    play = ready(renew_at=500.0)
    play >> Received(protocol.Certificate(b"NEW ROOTS")) << Install(b"NEW ROOTS", b"", 500.0)
    play.end()


def test_news_from_before_the_connection_is_told_after_the_welcome():
    play = Playbook(session(serial="aa"))
    play >> Tell(protocol.Health(False, "refused")) >> Tell(protocol.Health(False, "timeout")) >> Connected() << HELLO
    play >> Received(Challenge(b"n", "c")) << Sign(proof(b"n", "c")) >> Signed(b"s") << Send(Prove("aa", b"s"))
    play >> Received(KNOWN) << Install(b"BUNDLE", b"", 0.0, "spiffe://x", "default/reviews-v1") << Begin(20.0)
    play << Send(protocol.Health(False, "timeout")) >> Tell(protocol.Health(True)) << Send(protocol.Health(True))
    play.end()


@pytest.mark.parametrize("frame", [Push(1), protocol.ListState(), WELCOME, protocol.MetricsStored("e", 1)])
def test_a_console_that_speaks_before_its_turn_is_left(frame):
    play = Playbook(session(serial="aa"))
    play >> Connected() << HELLO >> Received(frame) << Close(f"the console sent {type(frame).__name__} before it had said Welcome")
    play.end()


def test_what_the_console_asks_is_passed_on():
    play = ready()
    play >> Received(Push(7)) << Apply(Push(7)) >> Received(protocol.ListState()) << ListVersions()
    play >> Received(protocol.MetricsStored("e", 3)) << Forget("e", 3)
    play.end()


def test_a_renewal_that_cannot_be_begun_is_tried_again_and_costs_no_connection():
    play = ready(renew_at=100.0).at(100.0)
    play >> Elapsed() << MakeKey()
    play >> NoKeyMade("No space left on device")
    play.end()
    assert play.session.wake_at() == 115.0 and play.session.phase is Phase.READY
