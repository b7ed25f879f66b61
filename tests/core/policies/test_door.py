"""The door: YAML or JSON in, typed policies out, or every reason why not."""

from typing import Any

import pytest
import yaml

from meshconsole.core import policies
from meshconsole.core.policies import KINDS, dump, parse, parse_object, to_yaml
from meshconsole.core.resources.envelope import Metadata, Model
from meshconsole.core.resources.messages import Invalid, Level, Message

ROUTE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}
spec:
  hosts: [reviews]
  http:
  - route:
    - destination: {host: reviews}
      weight: 90
"""


def refused(text: str | bytes | dict[str, Any]) -> list[Message]:
    with pytest.raises(Invalid) as caught:
        parse_object(text) if isinstance(text, dict) else parse(text)
    assert any(m.level is Level.ERROR for m in caught.value.messages)
    return caught.value.messages


def only(text: str | dict[str, Any]) -> Message:
    messages = refused(text)
    assert len(messages) == 1, [str(m) for m in messages]
    return messages[0]


def test_a_document_becomes_its_kind():
    (policy,), messages = parse(ROUTE)
    assert type(policy) is KINDS["networking.istio.io", "VirtualService"]
    assert (policy.key.namespace, policy.key.name, messages) == ("shop", "reviews", [])


def test_every_served_version_is_the_same_kind():
    for version in ("v1", "v1beta1", "v1alpha3"):
        (policy,), _ = parse(ROUTE.replace("/v1", f"/{version}"))
        assert policy.kind == "VirtualService"


def test_an_unknown_field_has_a_suggestion_and_its_line():
    message = only(ROUTE.replace("weight", "weigth"))
    assert message.text == "unknown field 'weigth'; did you mean 'weight'?"
    assert (message.code, message.path, message.line) == ("MSH0002", "spec.http[0].route[0].weigth", 10)
    assert str(message.key) == "VirtualService shop/reviews"


def test_an_unknown_field_like_no_other_is_told_what_there_is():
    assert "known here: exact, prefix, regex" in only(ROUTE.replace("- route:", "- match: [{uri: {zzz: 1}}]\n    route:")).text


def test_a_field_that_istio_has_and_we_do_not_is_refused_by_name():
    message = only(ROUTE + "  tcp: [{match: [{sourceSubnet: 10.0.0.0/8}], route: [{destination: {host: reviews}}]}]\n")
    assert (message.code, message.path) == ("MSH0003", "spec.tcp[0].match[0].sourceSubnet")
    assert message.text.startswith("not supported yet")


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ('weight: "90"', "must be a whole number, not '90'"),
        ("weight: 9.5", "must be a whole number, not 9.5"),
        ("weight: true", "must be a whole number, not True"),
        ("weight: [90]", "must be a whole number, not [90]"),
        ("weight: -1", "must be greater than or equal to 0, not -1"),
        ("weight: 99999999999", "must be less than or equal to 2147483647"),
        ("weight: {a: 1}", "must be a whole number"),
    ],
)
def test_a_wrong_type_says_what_would_be_right(written: str, says: str):
    assert says in only(ROUTE.replace("weight: 90", written)).text


def test_a_number_where_a_string_is_meant_asks_for_quotes():
    message = only(ROUTE.replace("namespace: shop", "namespace: shop, labels: {version: 1.0}"))
    assert message.text == 'must be a string, not 1.0; put quotes around it: "1.0"'
    assert message.path == "metadata.labels.version"


def test_all_errors_of_all_documents_are_told_at_once():
    bad = ROUTE.replace("weight", "weigth").replace("hosts: [reviews]", "hosts: [a..b]")
    messages = refused(ROUTE + "---" + bad + "---\nkind: Nothing\napiVersion: a/b\n---\n" + bad.replace("name: reviews", "name: Bad"))
    assert [(m.document, m.path) for m in messages] == [
        (1, "spec.http[0].route[0].weigth"),
        (1, "spec.hosts[0]"),
        (2, "kind"),
        (3, "spec.http[0].route[0].weigth"),
        (3, "metadata.name"),
        (3, "spec.hosts[0]"),
    ]
    assert [m.line for m in messages] == [20, 16, 22, 34, 28, 30]


def test_an_error_does_not_bring_errors_that_only_follow_from_it():
    two = "\n    - destination: {host: b}\n      weight: '1'"
    assert [m.path for m in refused(ROUTE.replace("weight: 90", "weight: '90'" + two))] == [
        "spec.http[0].route[0].weight",
        "spec.http[0].route[1].weight",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind: VirtualService", "apiVersion is required"),
        ("apiVersion: networking.istio.io/v1", "kind is required"),
        ("apiVersion: networking.istio.io/v1\nkind: VirtualServise", "did you mean VirtualService?"),
        ("apiVersion: networking.istio.io/v2\nkind: VirtualService", "has no version 'v2'; use networking.istio.io/v1"),
        ("apiVersion: security.istio.io/v1\nkind: VirtualService", "is of networking.istio.io/v1"),
        ("apiVersion: example.com/v1\nkind: Widget", "'Widget' is not supported; there are"),
        ("apiVersion: apps/v1\nkind: Deployment", "a kind of Kubernetes; leave the document out"),
        ("apiVersion: v1\nkind: Service", "declared by a ServiceEntry"),
        ("apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway", "not supported yet: the Gateway API's Gateway"),
        ("apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin", "not supported yet: Istio's kind WasmPlugin"),
        ("apiVersion: 1\nkind: {}", "apiVersion is required"),
        ("apiVersion: networking.istio.io/v1\nkind: VirtualService\nspec: {}", "is required"),
        ("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: []\nspec: 1", "must be a mapping"),
        ("", "nothing to read"),
        ("---\n---\n", "nothing to read"),
    ],
)
def test_what_is_no_resource_is_refused_in_words(text: str, says: str):
    assert any(says in m.text for m in refused(text))


def test_a_list_is_read_as_its_items():
    text = "apiVersion: v1\nkind: List\nitems:\n- " + ROUTE.strip().replace("\n", "\n  ")
    (policy,), _ = parse(text)
    assert policy.key.name == "reviews"
    message = only(text.replace("weight", "weigth"))
    assert (message.path, message.line) == ("spec.http[0].route[0].weigth", 12)


def test_an_object_that_stands_twice_is_refused():
    assert any("stands twice" in m.text for m in refused(ROUTE + "---" + ROUTE))


def test_what_the_server_wrote_is_taken_back_and_dropped():
    text = (
        ROUTE.replace("namespace: shop", "namespace: shop, uid: u, generation: 3, managedFields: [{a: 1}]") + "status: {conditions: []}\n"
    )
    (policy,), _ = parse(text)
    assert "status" not in dump(policy) and "managedFields" not in dump(policy)["metadata"]


def test_json_is_read_as_yaml_is():
    (policy,), _ = parse(ROUTE)
    again, messages = parse_object(dump(policy))
    assert (again, messages) == (policy, [])
    assert only({**dump(policy), "spec": {"hosts": ["a"], "htp": []}}).text.startswith("unknown field 'htp'; did you mean 'http'?")


def test_what_is_dumped_is_what_was_written():
    (policy,), _ = parse(ROUTE)
    body = dump(policy)
    assert body["spec"] == {"hosts": ["reviews"], "http": [{"route": [{"destination": {"host": "reviews"}, "weight": 90}]}]}
    text = to_yaml({"spec": body["spec"], **body})
    assert [line.partition(":")[0] for line in text.splitlines() if line[0].isalpha()] == ["apiVersion", "kind", "metadata", "spec"]
    assert parse(text)[0] == [policy]


@pytest.mark.parametrize("name", ["", "Bad", "a_b", "x" * 254, "a/b", "../etc"])
def test_names_are_dns_names(name: str):
    assert any(m.path == "metadata.name" for m in refused(ROUTE.replace("name: reviews", f"name: {name!r}")))


def test_namespaces_and_labels_are_checked():
    text = ROUTE.replace("namespace: shop", "namespace: a.b, labels: {'a b': c}")
    assert {m.path for m in refused(text)} == {"metadata.namespace", "metadata.labels.a b"}


def test_hostile_bodies_end_at_the_reader():
    assert "bytes are more than" in refused(b"a: " + b"x" * (20 << 20))[0].text
    assert "deeper than" in refused("[" * 1000)[0].text
    bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(9)
    )
    assert "aliases counted in full" in refused(bomb)[0].text
    assert "stands twice" in refused(ROUTE + "kind: Again\n")[0].text


def test_ten_thousand_errors_are_told_without_a_crash():
    spec = {"hosts": ["a"], "http": [{"bad": n} for n in range(10_000)]}
    data = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "a"}, "spec": spec}
    assert len(refused(data)) >= 10_000


def test_every_field_of_every_kind_is_documented():
    """By its own words, or by those of what it holds."""

    def inner(field: Any) -> Any:
        return policies.reading._inner(field.annotation)

    def models(model: type[Model], seen: set[type[Model]]) -> set[type[Model]]:
        if model not in seen:
            seen.add(model)
            for each in map(inner, model.model_fields.values()):
                if isinstance(each, type) and issubclass(each, Model):
                    models(each, seen)
        return seen

    undocumented = {
        f"{model.__name__}.{name}"
        for kind in KINDS.values()
        for model in models(kind, set()) - {Metadata, kind}
        for name, field in model.model_fields.items()
        if not field.description and not inner(field).__doc__
    }
    assert undocumented == set()


def test_a_negative_condition_that_comes_along_is_told():
    """Istio: ConditionAnalyzer. What other programs, and this console itself, say of an object is theirs."""
    conditions = [
        {"type": "WaypointAccepted", "status": "True", "reason": "PartiallyInvalid", "message": "x"},
        {"type": "ZtunnelAccepted", "status": "False"},
        {"type": "istio.io/WaypointBound", "status": "False"},
        {"type": "argocd.argoproj.io/Synced", "status": "False"},
        {"type": "Programmed", "status": "False"},
        {"type": "Fine", "status": "True"},
    ]
    _, messages = parse_object({**yaml.safe_load(ROUTE), "status": {"conditions": conditions}})
    assert [(m.code, m.path) for m in messages] == [("IST0171", f"status.conditions[{i}]") for i in range(3)]
