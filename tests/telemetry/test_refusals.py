"""Denials are added up by who denies, who was denied, and what was asked for."""

import dataclasses

import pytest

from telemetry import accesslog, logs, logstore
from telemetry.refusals import refusals
from tests.telemetry.test_logs import INBOUND, NOW, WHOSE, batch

DRY = {
    **INBOUND, "code": "200", "details": "via_upstream",
    "rbac": '{"istio_dry_run_deny_shadow_engine_result":"denied","istio_dry_run_deny_shadow_effective_policy_id":"ns[payments]-policy[try]-rule[0]"}',
}  # fmt: skip


@pytest.fixture
def stored(db):
    other = {**INBOUND, "subject": "", "principal": "", "client": "10.0.0.7:4711"}
    records = batch(
        INBOUND, {**INBOUND, "path": "/pay?card=1"}, {**INBOUND, "path": "/else"}, other, DRY, {**INBOUND, "details": "via_upstream"}
    )
    logstore.store(accesslog.parse(records, WHOSE), now=NOW)


def test_each_group_has_a_policy_a_caller_and_a_path(stored):
    found = refusals(logs.Asked(), NOW - 60, NOW + 1)
    assert [(g.caller, g.path, g.count) for g in found.groups][0] == ("shop/web-1", "/pay", 2)
    assert {(g.caller, g.path, g.count) for g in found.groups} == {
        ("shop/web-1", "/pay", 2),
        ("shop/web-1", "/else", 1),
        ("10.0.0.7", "/pay", 1),
    }
    assert {g.line for g in found.groups} == {"AuthorizationPolicy payments/deny-all spec.rules[2]"}
    assert found.count == 4 and not found.more


def test_a_dry_run_is_added_up_apart(stored):
    (group,) = refusals(logs.Asked(policy="AuthorizationPolicy payments/try"), NOW - 60, NOW + 1, would=True).groups
    assert (group.words, group.count, group.caller) == ("would be denied by payments/try", 1, "shop/web-1")
    assert not refusals(logs.Asked(policy="payments/other"), NOW - 60, NOW + 1, would=True).groups


def test_more_dry_run_policies_than_there_is_room_for_are_left_out_whole(db):
    (record,) = accesslog.parse(batch(DRY), WHOSE)
    many = ", ".join(f"payments-{i:02}/{'p' * 20}" for i in range(30))
    logstore.store([dataclasses.replace(record, would=many, workload="a\0b")], now=NOW)
    (group,) = refusals(logs.Asked(), NOW - 60, NOW + 1, would=True).groups
    assert len(group.policies) == 15 and all(p.name == "p" * 20 for p in group.policies) and group.target.endswith("/ab")
