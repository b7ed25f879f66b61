import pytest

from meshconsole.core.mesh import hosts


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("reviews", "reviews.default.svc.cluster.local"),
        ("Reviews", "reviews.default.svc.cluster.local"),
        ("reviews.other", "reviews.other"),
        ("api.example.com", "api.example.com"),
        ("*.example.com", "*.example.com"),
        ("*", "*"),
    ],
)
def test_a_name_without_dots_is_a_service_of_the_rules_namespace(written: str, meant: str):
    assert hosts.fqdn(written, "default", "cluster.local") == meant


@pytest.mark.parametrize(
    ("pattern", "host", "takes"),
    [
        ("*", "anything.at.all", True),
        ("*.example.com", "a.example.com", True),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "*.b.example.com", True),
        ("*.b.example.com", "*.example.com", False),
        ("a.example.com", "*.example.com", False),
        ("a.example.com", "a.example.com", True),
    ],
)
def test_a_pattern_takes_in_what_it_covers_whole(pattern: str, host: str, takes: bool):
    assert hosts.matches(pattern, host) is takes


def test_the_narrower_of_two_patterns_is_their_intersection():
    assert hosts.narrower("*", "a.example.com") == "a.example.com"
    assert hosts.narrower("a.example.com", "*.example.com") == "a.example.com"
    assert hosts.narrower("*.example.com", "*.org") is None


def test_suffixes_are_the_wildcards_over_a_host_the_longest_first():
    assert hosts.suffixes("a.b.c") == ["*.b.c", "*.c", "*"]
    assert hosts.suffixes("*.b.c") == ["*.b.c", "*.c", "*"]
    assert hosts.suffixes("a") == ["*"]
    assert hosts.suffixes("*") == ["*"]


def test_every_suffix_matches():
    for host in ("a.b.c", "*.b.c", "x"):
        assert all(hosts.matches(pattern, host) for pattern in hosts.suffixes(host))


@pytest.mark.parametrize(
    ("authority", "parsed"),
    [
        ("Reviews:9080", ("reviews", 9080)),
        ("reviews", ("reviews", 0)),
        ("10.0.0.1:80", ("10.0.0.1", 80)),
        ("[::1]:80", ("[::1]", 80)),
        ("[::1]", ("[::1]", 0)),
        ("a_b.example.com", ("a_b.example.com", 0)),
        ("*.example.com", None),
        ("a b", None),
        ("", None),
        (":80", None),
        ("a:0", None),
        ("a:65536", None),
        ("a:-1", None),
        ("user@host", None),
        ("-a.example.com", None),
    ],
)
def test_an_authority_is_a_host_and_maybe_a_port(authority: str, parsed: tuple[str, int] | None):
    assert hosts.parse_authority(authority) == parsed


def test_exact_hosts_are_more_specific_than_any_wildcard():
    assert sorted(["a.b.c", "*", "*.c", "*.b.c"], key=hosts.specificity) == ["*", "*.c", "*.b.c", "a.b.c"]
