import pytest

from meshconsole.topology.graph import Health, Instance
from meshconsole.topology.health import DEFAULTS, Tolerance, Tolerances, of_instances, of_requests, parse, worst


@pytest.mark.parametrize(
    ("responses", "status"),
    [
        ({("http", "200"): 100}, "healthy"),
        ({("http", "200"): 999, ("http", "500"): 1}, "degraded"),
        ({("http", "200"): 90, ("http", "503"): 10}, "failure"),
        ({("http", "200"): 91, ("http", "404"): 9}, "healthy"),
        ({("http", "200"): 90, ("http", "404"): 10}, "degraded"),
        ({("http", "200"): 80, ("http", "404"): 20}, "failure"),
        ({("http", "200"): 95, ("http", "502"): 5, ("http", "503"): 5}, "degraded"),
        ({("grpc", "0"): 99, ("grpc", "14"): 1}, "degraded"),
        ({("grpc", "0"): 9, ("grpc", "1"): 1}, "failure"),
        ({("http", "200"): 9, ("http", "-"): 1}, "failure"),
        ({("grpc", "0"): 99, ("grpc", "-"): 1}, "degraded"),
        ({("http", "200"): 1000, ("grpc", "13"): 1}, "failure"),
        ({("http", "301"): 5}, "healthy"),
        ({}, "none"),
    ],
)
def test_kialis_tolerances(responses: dict, status: str):
    assert of_requests(responses, "inbound").status == status


def test_the_reason_says_how_much_of_what_and_which_limit():
    assert of_requests({("http", "200"): 88, ("http", "503"): 12}, "inbound").reasons == (
        "5XX 12 % of 100 inbound requests (failure from 10 %)",
    )


def test_tolerances_are_the_operators():
    strict = Tolerances(Tolerance("404", "http", degraded=0, failure=1, direction="inbound"))
    assert of_requests({("http", "404"): 1, ("http", "200"): 99}, "inbound", strict).status == "failure"
    assert of_requests({("http", "404"): 1, ("http", "200"): 99}, "outbound", strict).status == "healthy"
    assert of_requests({("http", "500"): 99}, "inbound", strict).status == "healthy"


@pytest.mark.parametrize(
    ("instances", "status"),
    [
        ([], "none"),
        ([Instance("a", "SYNCED", True)], "healthy"),
        ([Instance("a", "STALE", True)], "healthy"),
        ([Instance("a", "NACKED", True)], "degraded"),
        ([Instance("a", "SYNCED", True), Instance("b", "SYNCED", False)], "degraded"),
        ([Instance("a", "SYNCED", False)], "notReady"),
        ([Instance("a", "SYNCED", True, healthy=False)], "failure"),
        ([Instance("a", "SYNCED", True, healthy=False), Instance("b", "SYNCED", True)], "degraded"),
    ],
)
def test_the_state_of_instances(instances: list[Instance], status: str):
    assert of_instances(instances).status == status


def test_the_worst_wins_and_keeps_all_reasons_the_worst_first():
    total = worst([Health("healthy"), Health("degraded", ("some",)), Health("failure", ("many",)), Health("notReady", ("away",))])
    assert total == Health("failure", ("many", "some", "away"))


def test_tolerances_are_read_from_the_settings():
    given = parse([{"code": "4XX", "protocol": "http", "degraded": 1, "failure": 5}])
    assert of_requests({("http", "404"): 6, ("http", "200"): 94}, "inbound", given).status == "failure"
    assert parse([]) is DEFAULTS


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"code": "5XX"}, "protocol"),
        ({"code": "(", "protocol": "http", "degraded": 0, "failure": 1}, "unterminated"),
        ({"code": "5XX", "protocol": "http", "degraded": 9, "failure": 1}, "does not hold"),
        ({"code": "5XX", "protocol": "http", "degraded": "much", "failure": 1}, "float"),
        ({"code": "5XX", "protocol": "http", "degraded": 0, "failure": 1, "way": "inbound"}, "unknown way"),
    ],
)
def test_a_tolerance_that_cannot_be_is_refused_by_its_place(entry: dict, words: str):
    with pytest.raises(ValueError, match=rf"HEALTH_TOLERANCES\[1\].*{words}"):
        parse([{"code": "5XX", "protocol": "http", "degraded": 0, "failure": 1}, entry])
