"""Access-log records: what Envoy says becomes words, is found by them, and goes when there is no room."""

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from telemetry import accesslog, flags, logs, logstore, tasks
from telemetry.denials import PolicyName
from telemetry.spans import Origin

NOW = 1_800_000_000.0
WHOSE = Origin("payments", "payments", "payments-v1", "v1", proxy=True)
DENY = "rbac_access_denied_matched_policy[ns[payments]-policy[deny-all]-rule[2]]"
INBOUND = {
    "reporter": "destination", "method": "GET", "path": "/pay", "code": "403", "flags": "-", "ms": "3", "service": "payments.payments.svc.cluster.local;payments;payments",
    "principal": "spiffe://cluster.local/ns/shop/sa/web", "subject": "CN=web-1,O=web", "details": DENY,
    "policy": "PeerAuthentication payments/strict, AuthorizationPolicy payments/deny-all, AuthorizationPolicy payments/allow-shop",
    "allowing": "AuthorizationPolicy payments/allow-shop",
}  # fmt: skip
OUTBOUND = {
    "reporter": "source", "method": "GET", "path": "/r/1", "code": "503", "flags": "UF,URX", "ms": "1200", "service": "reviews.default.svc.cluster.local;reviews;default",
    "peer": "reviews-v2;default;reviews;v2;reviews;v2", "policy": "VirtualService default/reviews", "cluster_policy": "DestinationRule default/reviews",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "line": "VirtualService default/reviews spec.http[0]",
}  # fmt: skip


def batch(*records: dict[str, str], at: float = NOW) -> bytes:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for words in records:
        record = scope.log_records.add(time_unix_nano=int(at * 1e9))
        for key, text in words.items():
            record.attributes.add(key=key).value.string_value = text
    return request.SerializeToString()


def parsed(words: dict[str, str], **changes: str) -> accesslog.Record:
    return accesslog.parse(batch({**words, **changes}), WHOSE)[0]


def test_a_denial_names_its_policy_and_rule():
    record = parsed(INBOUND)
    assert record.denied == "denied by payments/deny-all, rule 2"
    assert record.policies == (PolicyName("AuthorizationPolicy", "payments", "deny-all"),)
    assert record.said["line"] == "AuthorizationPolicy payments/deny-all spec.rules[2]"
    assert (record.peer_namespace, record.peer) == ("shop", "web-1")


def test_a_request_that_nothing_allows_names_the_policies_that_could():
    record = parsed(INBOUND, details="rbac_access_denied_matched_policy[none]")
    assert record.denied == "denied: no ALLOW rule matches (of payments/allow-shop)"
    assert record.policies == (PolicyName("AuthorizationPolicy", "payments", "allow-shop"),)


def test_a_tcp_connection_is_denied_by_how_it_ended():
    words = {key: text for key, text in INBOUND.items() if key not in ("method", "path", "code", "details")}
    record = parsed(words, ended=DENY)
    assert record.protocol == "tcp" and record.denied == "denied by payments/deny-all, rule 2"


def test_an_allowed_request_names_the_rule_that_let_it_in_and_no_policy_that_could_have_refused():
    allowed = '{"enforced_effective_policy_id":"ns[payments]-policy[allow-shop]-rule[1]","enforced_engine_result":"allowed"}'
    record = parsed(INBOUND, details="via_upstream", code="200", rbac=allowed)
    assert not record.denied
    assert [p.name for p in record.policies] == ["allow-shop", "strict"]
    assert record.said["line"] == "AuthorizationPolicy payments/allow-shop spec.rules[1]"


@pytest.mark.parametrize(
    ("rbac", "would"),
    [
        (
            '{"istio_dry_run_deny_shadow_engine_result":"denied","istio_dry_run_deny_shadow_effective_policy_id":"ns[payments]-policy[try]-rule[0]"}',
            "payments/try",
        ),
        ('{"istio_dry_run_allow_shadow_engine_result":"denied"}', "payments/a, payments/b"),
        ('{"istio_dry_run_allow_shadow_engine_result":"allowed"}', ""),
        ("not json", ""),
    ],
)
def test_a_dry_run_says_what_it_would_have_denied(rbac, would):
    names = "AuthorizationPolicy payments/a, AuthorizationPolicy payments/b"
    assert parsed(INBOUND, details="via_upstream", code="200", rbac=rbac, would_allow=names).would == would


def test_a_call_names_the_route_the_cluster_and_the_line():
    record = parsed(OUTBOUND)
    assert [p.kind for p in record.policies] == ["VirtualService", "DestinationRule"]
    assert record.said["line"] == "VirtualService default/reviews spec.http[0]"
    assert record.trace == "0af7651916cd43dd8448eb211c80319c"
    assert flags.in_words(record.flags) == (
        "no connection to the service could be made",
        "all retries (or connection attempts) are used up",
    )


def test_what_is_no_otlp_is_refused():
    with pytest.raises(accesslog.Malformed):
        accesslog.parse(b"\xff\xff\xff", WHOSE)


@pytest.fixture
def stored(db):
    found = accesslog.parse(batch(OUTBOUND, at=NOW - 30), Origin("web", "shop", "web-1", proxy=True))
    dry = {**INBOUND, "code": "200", "details": "via_upstream"}
    dry["rbac"] = (
        '{"istio_dry_run_deny_shadow_engine_result":"denied","istio_dry_run_deny_shadow_effective_policy_id":"ns[payments]-policy[try]-rule[0]"}'
    )
    logstore.store([*found, *accesslog.parse(batch(INBOUND, dry), WHOSE)], now=NOW)


@pytest.mark.parametrize(
    ("asked", "codes"),
    [
        ({}, [200, 403, 503]),
        ({"code": "5xx"}, [503]),
        ({"code": ">=400"}, [403, 503]),
        ({"code": "403"}, [403]),
        ({"flag": "URX"}, [503]),
        ({"flag": "UR"}, []),
        ({"workload": "web-1"}, [200, 403, 503]),
        ({"workload": "payments/payments-v1"}, [200, 403]),
        ({"workload": "shop/reviews-v2"}, []),
        ({"service": "reviews"}, [503]),
        ({"policy": "payments/deny-all"}, [403]),
        ({"policy": "deny-all"}, [403]),
        ({"policy": "VirtualService default/reviews"}, [503]),
        ({"policy": "payments/try"}, [200]),
        ({"policy": "AuthorizationPolicy payments/try"}, [200]),
        ({"policy": "pay"}, []),
        ({"trace": "0AF7651916cd43dd8448eb211c80319c"}, [503]),
        ({"path": "/R/"}, [503]),
        ({"denied": True}, [403]),
        ({"would": True}, [200]),
        ({"reporter": "source"}, [503]),
        ({"min_ms": 1000}, [503]),
        ({"namespaces": ["shop"]}, [503]),
        ({"namespaces": []}, []),
    ],
)
def test_records_are_found_by(stored, asked, codes):
    found = logs.search(logs.Asked(**asked), NOW - 60, NOW + 1)
    assert sorted(e.record.code for e in found.entries) == codes


def test_what_comes_back_is_what_was_stored(stored):
    denied = logs.search(logs.Asked(denied=True), NOW - 60, NOW + 1).entries[0]
    assert denied.record == parsed(INBOUND)
    assert logs.one(denied.id).record == denied.record
    assert logs.one(denied.id, ["shop"]) is None


def test_a_tail_gets_only_what_is_new(stored):
    newest = max(e.id for e in logs.search(logs.Asked(), NOW - 60, NOW + 1).entries)
    logstore.store(accesslog.parse(batch(OUTBOUND), WHOSE), now=NOW)
    assert [e.record.workload for e in logs.search(logs.Asked(), NOW - 60, NOW + 1, after=newest).entries] == ["payments-v1"]


def test_records_from_the_future_are_not_kept(db):
    assert logstore.store(accesslog.parse(batch(OUTBOUND, at=NOW + 3600), WHOSE), now=NOW) == 0


def test_the_old_and_those_beyond_the_limit_go(stored):
    assert tasks.delete_logs(NOW, 10, 100) == 1
    assert tasks.delete_logs(NOW, 10, 1) == 1
    assert [e.record.code for e in logs.search(logs.Asked(), 0, NOW + 1).entries] == [200]


def test_a_code_that_is_none_is_said():
    assert list(logs.Asked(code="5x", reporter="x").problems()) == [
        "code: '5x' is none of 503, 5xx, >=400",
        "reporter: 'x' is neither source nor destination",
    ]
