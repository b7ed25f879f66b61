"""What nobody should send: each gets a clear answer, and nothing is stored."""

import json

import pytest
from django.conf import settings

from meshconsole.configstore import store

from ..configstore.manifests import route

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(9))
HOSTILE = {
    "not YAML": "{[}",
    "tabs": "spec:\n\tx: 1\n",
    "a bomb of aliases": BOMB,
    "a bomb within a resource": route() + "  exportTo: *nowhere\n",
    "a list of nothing": "- 1\n- 2\n",
    "a scalar": "hello",
    "nothing at all": "",
    "only comments": "# nothing\n---\n# here\n",
    "an unknown kind": route().replace("VirtualService", "VirtualServise"),
    "an unknown group": route().replace("networking.istio.io", "networking.example.com"),
    "an unknown version": route().replace("istio.io/v1", "istio.io/v9"),
    "an unknown field": route().replace("hosts:", "hoosts:"),
    "a wrong type": route().replace("hosts: [reviews.example.com]", "hosts: 7"),
    "a mapping for a list": route().replace("hosts: [reviews.example.com]", "hosts: {a: b}"),
    "a key twice": route() + "  hosts: [other.example.com]\n",
    "no name": route().replace("name: reviews, ", ""),
    "an empty name": route().replace("name: reviews,", "name: '',"),
    "a name that is none": route().replace("name: reviews,", "name: '../../etc',"),
    "a name with a script": route().replace("name: reviews,", "name: '<script>alert(1)</script>',"),
    "a name of 300 characters": route("a" * 300),
    "a namespace that is none": route(namespace="'a b'"),
    "metadata as a list": "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: []\nspec: {}\n",
    "no spec": "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: x}\n",
    "a Python object": "!!python/object/apply:os.system ['true']\n",
    "a good one and a bad one": route("good") + "---\n" + route("bad").replace("hosts:", "hoosts:"),
    "ten thousand brackets": "a: " + "[" * 10000 + "]" * 10000,
    "a NUL": route().replace("hosts: [", 'hosts: ["\\0", '),
    "bytes that are not UTF-8": b"kind: \xff\xfe\xfa\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_refused_with_a_reason_and_nothing_is_stored(name, alice):
    answer = alice.yaml("/api/v1/apply", HOSTILE[name])
    assert answer.status_code in (400, 422), answer.content[:500]
    said = answer.json()
    assert said["error"]
    if answer.status_code == 422:
        assert all(m["text"] and m["code"] for m in said["messages"])
    assert store.latest() == 0
    assert store.list_() == []


@pytest.mark.parametrize("name", HOSTILE)
def test_kubernetes_paths_refuse_it_by_a_status_object(name, alice):
    answer = alice.yaml("/apis/networking.istio.io/v1/namespaces/default/virtualservices/reviews", HOSTILE[name], "patch",
                        )  # fmt: skip
    assert answer.status_code == 415
    answer = alice.generic(
        "PATCH", "/apis/networking.istio.io/v1/namespaces/default/virtualservices/reviews", HOSTILE[name],
        content_type="application/apply-patch+yaml",
    )  # fmt: skip
    assert answer.status_code in (400, 422), answer.content[:500]
    assert answer.json()["kind"] == "Status"
    assert answer.json()["reason"] in ("BadRequest", "Invalid")
    assert store.latest() == 0


def test_the_errors_name_the_line_and_the_document(alice):
    text = route("good") + "---\n" + route("bad").replace("hosts:", "hoosts:")
    [message] = [
        m for m in alice.yaml("/api/v1/apply", text).json()["messages"] if m["level"] == "error" and "hoosts" in m["path"] + m["text"]
    ]
    assert message["document"] == 1
    assert text.splitlines()[message["line"] - 1].lstrip().startswith("hoosts")


def test_all_errors_are_told_at_once(alice):
    text = route("a").replace("hosts:", "hoosts:") + "---\n" + route("b").replace("http:", "htpp:")
    said = " ".join(m["path"] + m["text"] for m in alice.yaml("/api/v1/apply", text).json()["messages"])
    assert "hoosts" in said
    assert "htpp" in said


def test_a_body_that_is_too_large_is_not_even_read(alice):
    answer = alice.yaml("/api/v1/apply", "#" * (20 * 1024 * 1024))
    assert answer.status_code == 413
    assert str(settings.MAX_UPLOAD_BYTES) in answer.json()["error"]
    answer = alice.json("/apis/networking.istio.io/v1/namespaces/default/virtualservices", {"x": "#" * (5 * 1024 * 1024)})
    assert (answer.status_code, answer.json()["reason"]) == (413, "RequestEntityTooLarge")


BAD_JSON = {
    "not JSON": "{",
    "a key twice": '{"kind": "VirtualService", "kind": "Gateway"}',
    "NaN": '{"spec": NaN}',
    "a list": "[1]",
    "null": "null",
    "a string": '"x"',
    "deep nesting": "[" * 100000 + "]" * 100000,
}


@pytest.mark.parametrize("name", BAD_JSON)
def test_bad_json_is_refused_everywhere(name, alice):
    for path in ("/api/v1/apply", "/api/v1/rollback", "/api/v1/tokens", "/api/v1/join-tokens", "/api/v1/delete"):
        answer = alice.generic("POST", path, BAD_JSON[name], content_type="application/json")
        assert answer.status_code in (400, 422), f"{path} {answer.status_code} {answer.content[:300]}"
    path = "/apis/networking.istio.io/v1/namespaces/default/virtualservices"
    answer = alice.generic("POST", path, BAD_JSON[name], content_type="application/json")
    assert answer.status_code in (400, 422)
    assert answer.json()["kind"] == "Status"


@pytest.mark.parametrize("query", ["limit=x", "limit=-1", "limit=99999999999999999999999", "before=1.5"])
def test_numbers_that_are_none_are_refused(query, alice):
    assert alice.get(f"/api/v1/revisions?{query}").status_code == 400


@pytest.mark.parametrize(
    "sent",
    [{"revision": "1"}, {"revision": True}, {"revision": None}, {"kind": 7, "name": "x", "revision": 1}, {"name": "x", "revision": 1}],
)
def test_a_rollback_of_nonsense_is_refused(sent, stored):
    assert stored.json("/api/v1/rollback", sent).status_code in (400, 404)


def test_very_large_numbers_are_not_found(stored):
    assert stored.get("/api/v1/revisions/99999999999999999999999999").status_code == 404
    assert stored.json("/api/v1/revisions/99999999999999999999999999/rollback", {}).status_code == 404
    assert stored.json("/api/v1/rollback", {"kind": "vs", "name": "reviews", "revision": 10**30}).status_code == 404


def test_a_resource_smuggled_under_another_name_is_refused(stored):
    other = json.loads(stored.get("/apis/networking.istio.io/v1/namespaces/default/virtualservices/ratings").content)
    answer = stored.json("/apis/networking.istio.io/v1/namespaces/default/virtualservices/reviews", other, "put")
    assert answer.status_code == 422
    assert "the URL says 'reviews'" in answer.json()["message"]
    other["metadata"]["namespace"] = "payments"
    answer = stored.json("/apis/networking.istio.io/v1/namespaces/default/virtualservices/ratings", other, "put")
    assert answer.status_code == 422


def test_what_nobody_foresaw_is_an_answer_without_a_traceback(alice, monkeypatch):
    from meshconsole.api.views import changes

    def explode(*_, **__):
        raise RuntimeError("secret detail")

    monkeypatch.setattr(changes.store, "list_", explode)
    answer = alice.get("/api/v1/resources")
    assert answer.status_code == 500
    assert "secret" not in answer.content.decode()
