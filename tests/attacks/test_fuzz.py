"""Noise at the doors that take bytes from others: the protocol decoder, the first frame, YAML; each answers with its own refusal, whatever comes."""

import contextlib

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from meshconsole.accounts import factors, lockout
from meshconsole.accounts.proxies import TrustedProxies
from meshconsole.agents import enrolment
from meshconsole.api.origins import SameOrigin
from meshconsole.ca.issuing import Refusal
from meshconsole.console import browsers
from meshconsole.core import policies
from meshconsole.core.resources.messages import Invalid
from proxyagent import protocol
from tests.configstore.manifests import route

FAST = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
SAMPLE = protocol.encode(
    protocol.Hello(
        protocol.PROTOCOL, "1", "1", protocol.Workload("default", "reviews-v1", services=("reviews",), labels={"app": "reviews"})
    )
)


@FAST
@given(st.binary(max_size=400))
@example(b"")
@example(b"\xc1")
def test_noise_is_malformed(noise):
    for decode in (protocol.decode_from_agent, protocol.decode_from_console):
        with contextlib.suppress(protocol.Malformed):
            decode(noise)


@FAST
@given(JSON)
def test_any_value_in_the_wire_s_own_encoding_is_a_frame_or_malformed(value):
    try:
        data = msgspec.msgpack.encode(value)
    except (OverflowError, ValueError):
        return
    for kind in (b"", SAMPLE[:1]):
        with contextlib.suppress(protocol.Malformed):
            protocol.decode_from_agent(kind + data)


@FAST
@given(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255), st.integers(0, len(SAMPLE)))
def test_a_frame_with_a_changed_byte_or_an_end_cut_off_is_a_frame_or_malformed(at, byte, length):
    for data in (SAMPLE[:at] + bytes([byte]) + SAMPLE[at + 1 :], SAMPLE[:length]):
        with contextlib.suppress(protocol.Malformed, Refusal):
            enrolment.first_frame(data)


@FAST
@given(st.text(max_size=300))
@example("%YAML 9.9\n---\na")
@example("\x85\u2028: \ufeff")
@example("? [a, b]\n: {c}")
@example("- &a !!set {? *a}")
def test_any_text_is_policies_or_refused_with_reasons(text):
    try:
        policies.parse(text)
    except Invalid as e:
        assert e.messages
        assert all(m.text and m.code for m in e.messages)


@FAST
@given(st.data())
def test_a_good_file_with_something_else_in_it_is_refused_with_reasons_or_good(data):
    good = route("reviews", timeout="1s")
    at = data.draw(st.integers(0, len(good)))
    junk = data.draw(st.text(alphabet="\t\n -:{}[],&*!|>'\"%@`?#ab10.~\0\u2028", max_size=12))
    cut = data.draw(st.integers(0, 8))
    try:
        policies.parse(good[:at] + junk + good[at + cut :])
    except Invalid as e:
        assert e.messages


@FAST
@given(st.text(max_size=60), st.text(max_size=60), st.sampled_from(["ws", "wss"]))
def test_no_origin_but_our_own_is_welcome(origin, host, scheme):
    welcome = SameOrigin(None).welcome(origin.lower(), host.lower(), scheme)
    assert not welcome or origin.partition("://")[2].lower() in (host.lower(), f"{host.lower()}:80", f"{host.lower()}:443")


@FAST
@given(st.lists(st.text(max_size=40), max_size=3))
def test_any_forwarded_header_leaves_an_address(values):
    import ipaddress

    headers = [(b"x-forwarded-for", v.encode("utf-8", "surrogatepass")) for v in values]
    seen = TrustedProxies(None, ["10.0.0.0/8"]).seen({"type": "http", "client": ("10.0.0.1", 1), "headers": headers})
    ipaddress.ip_address(seen["client"][0])


@FAST
@given(st.text(max_size=400))
def test_any_user_agent_has_a_short_name(agent):
    assert 0 < len(browsers.named(agent)) <= 60


@pytest.mark.django_db
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=50), st.text(max_size=30), st.text(max_size=60))
def test_any_name_address_and_cookie_is_counted(name, address, cookie):
    from django.utils import timezone

    with contextlib.suppress(lockout.TooMany):
        lockout.begin(lockout.sign_in(name, address, cookie), timezone.now())


@pytest.mark.django_db
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=60))
def test_no_text_is_a_code_by_accident(text):
    from meshconsole.accounts.models import User

    user, _ = User.objects.get_or_create(username="fuzzed")
    assert factors.take(user, text, 1.9e9) == ""
