"""The pages of access logs: what they show, and to whom."""

import time

import pytest

from meshconsole.configstore import store
from meshconsole.configstore.store import Author
from meshconsole.core import policies
from telemetry import accesslog, logs, logstore
from telemetry.spans import Origin
from tests.telemetry.test_logs import INBOUND, OUTBOUND, batch
from tests.telemetry.test_refusals import DRY

TRY = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: try, namespace: payments, annotations: {istio.io/dry-run: "true"}}
spec: {action: DENY, rules: [{to: [{operation: {methods: [GET]}}]}, {to: [{operation: {methods: [PUT]}}]}]}
"""


@pytest.fixture(autouse=True)
def stored(db):
    now = time.time()
    logstore.store(accesslog.parse(batch(INBOUND, DRY, at=now), Origin("p", "payments", "payments-v1", proxy=True)))
    logstore.store(accesslog.parse(batch(OUTBOUND, at=now), Origin("w", "default", "web-1", proxy=True)))


def page(client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def test_one_sees_what_proxies_of_ones_namespaces_tell(bob, alice):
    assert "/pay" not in page(bob, "/logs/") and "/r/1" in page(bob, "/logs/")
    assert "/pay" in page(alice, "/logs/")
    assert "spec.rules" not in page(bob, "/denials/") and "spec.rules" in page(alice, "/denials/")


def test_a_record_of_another_namespace_is_not_there(bob, alice):
    (theirs,) = logs.search(logs.Asked(denied=True), 0, time.time() + 60).entries
    assert bob.get(f"/logs/{theirs.id}/").status_code == 404
    said = page(alice, f"/logs/{theirs.id}/")
    assert "Denied by payments/deny-all, rule 2" in said
    assert "/policies/authorizationpolicies/payments/deny-all/?at=spec.rules%5B2%5D" in said


def test_a_flag_is_explained(alice):
    assert "UpstreamConnectionFailure" in page(alice, "/logs/?flag=UF")


def test_a_filter_that_is_none_is_said(alice):
    assert "is none of 503, 5xx" in page(alice, "/logs/?code=5xy")


def test_a_dry_run_says_on_its_page_what_it_would_have_denied_and_from_whom(alice):
    parsed, _ = policies.parse(TRY)
    store.apply(parsed, author=Author("system"), message="try")
    said = page(alice, "/policies/authorizationpolicies/payments/try/")
    assert "Would have denied 1 request in the last hour" in said and "shop/web-1 (1)" in said


def test_a_policy_opens_at_a_line(alice):
    parsed, _ = policies.parse(TRY)
    store.apply(parsed, author=Author("system"), message="try")
    said = page(alice, "/policies/authorizationpolicies/payments/try/?at=spec.rules[1]")
    assert 'data-line="' in said and "spec.rules[1]" in said
