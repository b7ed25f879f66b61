"""Names, labels, hosts and exportTo, as Kubernetes' and Istio's users know them."""

import pytest

from meshconsole.core.resources.names import export_faults, host_fault, label_faults, name_fault, namespace_fault


@pytest.mark.parametrize("name", ["a", "reviews", "reviews-v1", "a.b.c", "1", "x" * 253])
def test_dns_names_are_names(name: str):
    assert not name_fault(name)


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a..b", ".a", "a_b", "a/b", "x" * 254, "é", "a\n", "a b"])
def test_other_words_are_no_names(name: str):
    assert name_fault(name)


@pytest.mark.parametrize("name", ["", "a.b", "x" * 64, "A", "a\n"])
def test_a_namespace_is_a_label(name: str):
    assert namespace_fault(name)
    assert not namespace_fault("istio-system")


def test_labels_follow_kubernetes():
    assert label_faults({"app": "reviews", "example.com/tier": "web_1.x", "empty": ""}) == []
    bad = {"": "a", "a b": "c", "x" * 64: "a", "Bad.com/a": "b", "/a": "b", "value": "a b", "long": "x" * 64, "edge": "-a", "line": "a\n"}
    assert [key for key, _ in label_faults(bad)] == list(bad)
    assert "wildcards are not supported" in label_faults({"app": "a*"}, selecting=True)[0][1]


@pytest.mark.parametrize("host", ["reviews", "reviews.default.svc.cluster.local", "*", "*.example.com", "a_b.example.com", "10.0.0.1"])
def test_hosts_are_names_or_wildcards_in_front_of_them(host: str):
    assert not host_fault(host)


@pytest.mark.parametrize("host", ["", "a..b", "a b", "http://a", "a:80", "*a*", "a.*", "**", "*.", ".a", "-a.b", "x" * 256, "a\n"])
def test_what_is_no_host_is_refused(host: str):
    assert host_fault(host)


def test_a_wildcard_is_no_host_where_one_service_is_meant():
    assert host_fault("*.example.com", wildcard=False) and host_fault("*", wildcard=False)


@pytest.mark.parametrize(
    ("export_to", "nobody", "faulty"),
    [
        ([], False, False), (["*"], False, False), ([".", "other"], False, False), (["~"], True, False),
        (["~"], False, True), (["*", "."], False, True), ([".", "default"], False, True), (["other", "other"], False, True),
        (["Bad"], False, True), (["~", "other"], True, True), ([""], False, True),
    ],
)  # fmt: skip
def test_export_to_names_namespaces_or_everybody(export_to: list[str], nobody: bool, faulty: bool):
    assert bool(list(export_faults(export_to, "default", nobody=nobody))) is faulty
