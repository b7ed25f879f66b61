"""Kubernetes' paths and conventions, as kubectl uses them."""

import json

import pytest

from meshconsole.configstore import store

from ..configstore.manifests import key, parsed, route

BASE = "/apis/networking.istio.io/v1"
ALL = f"{BASE}/virtualservices"
MANY = f"{BASE}/namespaces/default/virtualservices"
ONE = f"{MANY}/reviews"
MERGE, PATCH, APPLY = "application/merge-patch+json", "application/json-patch+json", "application/apply-patch+yaml"


def manifest(*args, **kwargs):
    [policy] = parsed(route(*args, **kwargs))
    return policy.model_dump(mode="json", by_alias=True, exclude_unset=True)


def test_discovery_names_groups_versions_and_kinds(victor):
    groups = {g["name"]: g for g in victor.get("/apis").json()["groups"]}
    assert groups["networking.istio.io"]["preferredVersion"] == {"groupVersion": "networking.istio.io/v1", "version": "v1"}
    resources = {r["name"]: r for r in victor.get(BASE).json()["resources"]}
    assert resources["virtualservices"]["kind"] == "VirtualService"
    assert resources["virtualservices"]["shortNames"] == ["vs"]
    assert resources["virtualservices"]["namespaced"] is True
    assert victor.get("/apis/networking.istio.io").json()["versions"][0]["version"] == "v1"
    assert victor.get("/apis/nonsense.example.com").status_code == 404
    assert victor.get(f"{BASE}9").json()["kind"] == "Status"
    assert [r["name"] for r in victor.get("/api/v1").json()["resources"]] == ["namespaces", "secrets"]


def test_a_resource_lives_from_creation_to_deletion(alice):
    made = alice.json(MANY, manifest())
    assert made.status_code == 201
    body = made.json()
    assert body["metadata"]["resourceVersion"] == "1"
    assert body["metadata"]["uid"]
    assert alice.get(ONE).json() == body
    body["spec"]["http"][0]["timeout"] = "1s"
    changed = alice.json(ONE, body, "put")
    assert (changed.status_code, changed.json()["metadata"]["generation"]) == (200, 2)
    gone = alice.delete(ONE)
    assert (gone.json()["kind"], gone.json()["status"], gone.json()["details"]["name"]) == ("Status", "Success", "reviews")
    assert alice.get(ONE).json()["reason"] == "NotFound"


def test_creating_what_exists_is_refused_as_kubernetes_does(stored):
    answer = stored.json(MANY, manifest())
    assert (answer.status_code, answer.json()["reason"]) == (409, "AlreadyExists")
    assert answer.json()["details"]["name"] == "reviews"


def test_an_update_of_an_older_version_is_a_conflict(stored):
    body = stored.get(ONE).json()
    stored.apply(route(timeout="1s"))
    body["spec"]["http"][0]["timeout"] = "2s"
    answer = stored.json(ONE, body, "put")
    assert (answer.status_code, answer.json()["reason"]) == (409, "Conflict")


def test_updating_what_does_not_exist_is_not_found(alice):
    assert alice.json(ONE, manifest(), "put").status_code == 404
    assert alice.json(ONE, {}, "patch", MERGE).status_code == 404
    assert alice.delete(ONE).status_code == 404


def test_namespace_kind_and_version_may_be_left_to_the_url(alice):
    body = manifest()
    del body["metadata"]["namespace"], body["apiVersion"], body["kind"]
    assert alice.json(f"{BASE}/namespaces/payments/virtualservices", body).json()["metadata"]["namespace"] == "payments"


def test_a_generated_name_is_new_each_time(alice):
    body = manifest()
    del body["metadata"]["name"]
    body["metadata"]["generateName"] = "canary-"
    names = set()
    for host in ("a", "b", "c"):
        body["spec"]["hosts"] = [f"{host}.example.com"]
        names.add(alice.json(MANY, body).json()["metadata"]["name"])
    assert len(names) == 3
    assert all(n.startswith("canary-") for n in names)


def test_a_merge_patch_changes_and_removes(stored):
    answer = stored.json(
        ONE, {"metadata": {"labels": {"team": None, "tier": "front"}}, "spec": {"hosts": ["a.example.com"]}}, "patch", MERGE
    )
    assert answer.status_code == 200
    assert answer.json()["metadata"]["labels"] == {"tier": "front"}
    assert answer.json()["spec"]["hosts"] == ["a.example.com"]
    assert answer.json()["spec"]["http"]


def test_a_json_patch_changes_one_place(stored):
    answer = stored.json(ONE, [{"op": "add", "path": "/spec/http/0/timeout", "value": "1s"}], "patch", PATCH)
    assert answer.json()["spec"]["http"][0]["timeout"] == "1s"
    answer = stored.json(ONE, [{"op": "test", "path": "/spec/hosts/0", "value": "other"}], "patch", PATCH)
    assert (answer.status_code, answer.json()["reason"]) == (422, "Invalid")


def test_a_patch_that_breaks_the_schema_is_refused(stored):
    answer = stored.json(ONE, {"spec": {"hoosts": ["x"]}}, "patch", MERGE)
    assert (answer.status_code, answer.json()["reason"]) == (422, "Invalid")
    assert "hoosts" in json.dumps(answer.json()["details"]["causes"])
    assert stored.json(ONE, {"x": 1}, "patch", "application/x-nonsense").status_code == 415


def test_server_side_apply_creates_and_replaces(alice):
    assert alice.generic("PATCH", f"{ONE}?fieldManager=kubectl", route(), content_type=APPLY).status_code == 201
    assert alice.generic("PATCH", f"{ONE}?fieldManager=kubectl", route(timeout="1s"), content_type=APPLY).status_code == 200
    assert store.get(key()).body["spec"]["http"][0]["timeout"] == "1s"


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_a_dry_run_answers_as_if_and_stores_nothing(method, stored):
    before = stored.get(ONE).json()
    sent = {"post": manifest("fresh"), "put": manifest(timeout="1s"), "patch": {"spec": {"hosts": ["x.example.com"]}}, "delete": {}}[method]
    content_type = MERGE if method == "patch" else "application/json"
    answer = stored.json(f"{MANY if method == 'post' else ONE}?dryRun=All", sent, method, content_type)
    assert answer.is_success if hasattr(answer, "is_success") else answer.status_code < 300
    if method in ("put", "patch"):
        assert answer.json()["spec"] != before["spec"]
        assert answer.json()["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert stored.get(ONE).json() == before
    assert store.latest() == 1


def test_deletion_can_depend_on_what_is_there(stored):
    body = stored.get(ONE).json()
    wrong = {"preconditions": {"uid": "another"}}
    assert stored.json(ONE, wrong, "delete").status_code == 409
    assert stored.json(ONE, {"dryRun": ["All"]}, "delete").status_code == 200
    right = {"preconditions": {"uid": body["metadata"]["uid"], "resourceVersion": body["metadata"]["resourceVersion"]}}
    assert stored.json(ONE, right, "delete").status_code == 200


def test_lists_know_their_version_and_selectors(stored):
    listed = stored.get(ALL).json()
    assert (listed["kind"], listed["metadata"]["resourceVersion"], len(listed["items"])) == ("VirtualServiceList", "1", 3)
    assert len(stored.get(MANY).json()["items"]) == 2
    assert [i["metadata"]["name"] for i in stored.get(f"{ALL}?labelSelector=team%3Dred").json()["items"]] == ["reviews"]
    assert [i["metadata"]["name"] for i in stored.get(f"{ALL}?fieldSelector=metadata.name%3Dbilling").json()["items"]] == ["billing"]
    assert stored.get(f"{ALL}?fieldSelector=spec.x%3D1").status_code == 400


def test_a_collection_is_deleted_by_selector(stored):
    assert stored.delete(f"{ALL}?labelSelector=team%3Dred").status_code == 200
    assert [r.name for r in store.list_()] == ["ratings", "billing"]


def test_every_version_shows_the_same_resource(stored):
    old = stored.get(ONE.replace("/v1/", "/v1beta1/")).json()
    assert old["apiVersion"] == "networking.istio.io/v1beta1"
    assert old["spec"] == stored.get(ONE).json()["spec"]
    assert stored.json(ONE.replace("/v1/", "/v1beta1/"), old, "put").status_code == 200
    assert store.latest() == 1  # writing the same in another version changes nothing


def test_kubectl_gets_its_table(stored):
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    table = stored.get(MANY, HTTP_ACCEPT=accept).json()
    assert table["kind"] == "Table"
    assert [c["name"] for c in table["columnDefinitions"]] == ["Name", "Programmed", "Revision", "Age"]
    assert [row["cells"][:3] for row in table["rows"]] == [["ratings", "True", "1"], ["reviews", "True", "1"]]
    assert stored.get(ONE, HTTP_ACCEPT=accept).json()["rows"][0]["object"]["metadata"]["name"] == "reviews"


def test_conditions_say_what_kubectl_waits_for(stored):
    conditions = {c["type"]: c["status"] for c in stored.get(ONE).json()["status"]["conditions"]}
    assert conditions == {"Accepted": "True", "Programmed": "True"}


def test_warnings_are_sent_as_kubectl_shows_them(alice, monkeypatch):
    from meshconsole.configstore import writing
    from meshconsole.core.resources.messages import Level, Message

    found = [Message(Level.WARNING, "IST0130", 'odd "thing"\n', key=key())]
    monkeypatch.setattr(writing.analysis, "analyze", lambda *_: found)
    assert alice.json(MANY, manifest())["Warning"] == '299 - "IST0130: odd \\"thing\\" "'


def test_openapi_tells_kubectl_that_the_server_checks_fields(victor):
    index = victor.get("/openapi/v3").json()["paths"]
    document = victor.get(index["apis/networking.istio.io/v1"]["serverRelativeURL"]).json()
    patch = document["paths"][f"{BASE}/namespaces/{{namespace}}/virtualservices/{{name}}"]["patch"]
    assert {"fieldValidation", "dryRun"} <= {p["name"] for p in patch["parameters"]}
    assert patch["x-kubernetes-group-version-kind"] == {"group": "networking.istio.io", "version": "v1", "kind": "VirtualService"}
    schemas = document["components"]["schemas"]
    assert "spec" in schemas["io.istio.networking.v1.VirtualService"]["properties"]
    refs = set(find_refs(document))
    assert refs <= {f"#/components/schemas/{name}" for name in schemas}
    assert victor.get("/openapi/v2").json()["definitions"]["io.istio.networking.v1.VirtualService"]
    assert victor.get("/openapi/v2", HTTP_ACCEPT="application/com.github.proto-openapi.spec.v2@v1.0+protobuf").content.startswith(
        b"\x0a\x032.0"
    )


def find_refs(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for v in value.values():
            yield from find_refs(v)
    elif isinstance(value, list):
        for v in value:
            yield from find_refs(v)


def test_namespaces_are_those_in_use(stored, bob):
    names = [n["metadata"]["name"] for n in stored.get("/api/v1/namespaces").json()["items"]]
    assert names == ["default", "istio-system", "payments"]
    assert [n["metadata"]["name"] for n in bob.get("/api/v1/namespaces").json()["items"]] == ["default"]
    assert bob.get("/api/v1/namespaces/payments").status_code in (403, 404)
    answer = stored.json("/api/v1/namespaces", {"metadata": {"name": "x"}})
    assert (answer.status_code, answer.json()["kind"]) == (405, "Status")
    assert "exists as soon as" in answer.json()["message"]


def test_refusals_are_status_objects(bob, stranger):
    answer = bob.json(f"{BASE}/namespaces/payments/virtualservices", manifest(namespace="payments"))
    assert (answer.status_code, answer.json()["reason"]) == (403, "Forbidden")
    answer = stranger.get(MANY)
    assert (answer.status_code, answer.json()["reason"]) == (401, "Unauthorized")
    assert answer["WWW-Authenticate"].startswith("Bearer")
    answer = bob.get("/apis/networking.istio.io/v1/namespaces/default/nonsenses")
    assert (answer.status_code, answer.json()["reason"]) == (404, "NotFound")
