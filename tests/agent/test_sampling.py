"""The sample of access-log records: its share falls as the load rises (a real Envoy takes it in test_counting_live.py)."""

import pytest

from meshconsole.core.envoy import access_logs
from proxyagent.relay import sampling
from telemetry.samples import Batch, Counter


def load(requests, seconds=10.0):
    return sampling.share(Batch(0, seconds, (Counter(sampling.REQUESTS, {"response_code": "200"}, requests),), ()), seconds)


def test_both_sides_mean_the_same_key():
    assert access_logs.SHARE == sampling.SHARE and access_logs.MILLION == sampling.MILLION


@pytest.mark.parametrize("requests", [0, 1, 100])
def test_a_quiet_proxy_draws_what_is_configured(requests):
    assert load(requests) == sampling.MILLION and sampling.share(None, 10.0) == sampling.MILLION


def test_a_busy_one_draws_ten_a_second():
    assert load(100_000) == 1000 and load(1_000_000) == 100
    assert load(10**12) == 1


async def test_only_what_has_changed_much_is_said(monkeypatch):
    said = []

    async def request(path, target, method):
        said.append((path, target, method))

    monkeypatch.setattr(sampling.admin, "request", request)
    one = sampling.Sampling("socket")

    def batch(n):
        return Batch(0, 10, (Counter(sampling.REQUESTS, {}, n),), ())

    for run, requests in (("a", 0), ("a", 50), ("a", 10_000), ("a", 9_500), ("a", 40_000), ("b", 40_000), ("b", 0)):
        await one.follow(run, batch(requests), 10.0)
    assert [target.partition("=")[2] for _, target, _ in said] == ["1000000", "10000", "2500", "2500", "1000000"]
    assert {(path, method) for path, _, method in said} == {("socket", "POST")}
