"""What RateLimits do to real requests."""

import itertools

import httpx

from .live import eventually

URL = "http://echo:27080/"
_names = itertools.count()


def limit(spec: str) -> str:
    """Each under a name of its own, and so with full budgets."""
    return f"apiVersion: meshconsole.io/v1\nkind: RateLimit\nmetadata: {{name: limit-{next(_names)}}}\nspec: {spec}\n"


def codes(mesh, count: int, **headers: str) -> list[int]:
    with mesh.client.client() as client:
        return [client.get(URL, headers={k.replace("_", "-"): v for k, v in headers.items()}).status_code for _ in range(count)]


def test_a_host_takes_so_many_requests_and_answers_429_with_what_is_left(mesh):
    mesh.apply(limit("{hosts: [echo], limits: [{requests: 3, per: 1h}]}"))
    with mesh.client.client() as client:
        answers = [client.get(URL) for _ in range(5)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429, 429]
    assert [a.headers["x-ratelimit-remaining"] for a in answers] == ["2", "1", "0", "0", "0"]
    assert answers[-1].headers["x-ratelimit-limit"] == "3"
    assert 0 < int(answers[-1].headers["x-ratelimit-reset"]) <= 3600


def test_each_value_of_a_header_has_a_budget_of_its_own(mesh):
    mesh.apply(limit("{hosts: [echo], limits: [{requests: 2, per: 1h, by: {header: x-user}}]}"))
    assert codes(mesh, 3, x_user="ann") == [200, 200, 429]
    assert codes(mesh, 3, x_user="bob") == [200, 200, 429]
    assert codes(mesh, 4) == [200] * 4  # without the header nothing is counted


def test_a_workload_counts_each_callers_identity(mesh):
    mesh.apply(limit("{targetRef: {kind: Service, name: echo}, limits: [{requests: 2, per: 1h, by: {principal: true}}]}"))
    # Connections that were open before are drained under the former configuration.
    eventually(lambda: codes(mesh, 12) == [429] * 12, 20)
    stranger = [httpx.get(f"http://{mesh.v1.address}:{mesh.v1.port}/", trust_env=False).status_code for _ in range(3)]
    assert stranger == [200, 200, 429]


def test_a_limit_is_for_the_requests_that_it_names(mesh):
    mesh.apply(limit("{hosts: [echo], limits: [{requests: 1, per: 1h, match: {path: {prefix: /slow}, methods: [GET]}}]}"))
    with mesh.client.client() as client:
        assert [client.get(URL + "slow").status_code for _ in range(2)] == [200, 429]
        assert [client.post(URL + "slow").status_code for _ in range(2)] == [200, 200]
    assert codes(mesh, 3) == [200] * 3


def test_a_removed_limit_limits_nobody(mesh):
    mesh.apply(limit("{hosts: [echo], limits: [{requests: 1, per: 1h}]}"))
    assert codes(mesh, 2) == [200, 429]
    mesh.clear()
    eventually(lambda: codes(mesh, 4) == [200] * 4, 5)
