"""Applying, diffing, analyzing and going back over /api/v1."""

from ..configstore.manifests import route


def names(api):
    return [i["metadata"]["name"] for i in api.get("/api/v1/resources").json()["items"]]


def test_yaml_of_many_documents_becomes_one_revision(alice):
    said = alice.apply(route("a"), route("b"), query="?message=hello")
    assert said["revision"] == 1
    assert [(c["kind"], c["name"], c["operation"]) for c in said["changes"]] == [
        ("VirtualService", "a", "create"),
        ("VirtualService", "b", "create"),
    ]
    [revision] = alice.get("/api/v1/revisions").json()["items"]
    assert (revision["number"], revision["author"], revision["message"]) == (1, "alice", "hello")


def test_json_is_taken_as_one_resource_or_a_list(alice):
    def body(name):
        return {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": name},
                "spec": {"hosts": [f"{name}.example.com"], "http": [{"route": [{"destination": {"host": "x.example.com"}}]}]}}  # fmt: skip

    assert alice.json("/api/v1/apply", body("a")).json()["revision"] == 1
    assert alice.json("/api/v1/apply", {"kind": "List", "apiVersion": "v1", "items": [body("b"), body("c")]}).json()["revision"] == 2
    assert names(alice) == ["a", "b", "c"]


def test_unchanged_is_said_and_the_newest_revision_too(alice):
    alice.apply(route())
    said = alice.apply(route())
    assert (said["revision"], said["latest"], [u["name"] for u in said["unchanged"]]) == (None, 1, ["reviews"])


def test_a_dry_run_stores_nothing(alice):
    said = alice.apply(route(), query="?dryRun=1")
    assert said["dryRun"] is True
    assert "+  - reviews.example.com" in said["changes"][0]["diff"]
    assert names(alice) == []


def test_a_viewer_may_ask_what_a_change_would_do(stored, victor):
    answer = victor.yaml("/api/v1/diff", route(timeout="1s"))
    assert answer.status_code == 200
    assert "+    timeout: 1s" in answer.json()["changes"][0]["diff"]
    assert victor.yaml("/api/v1/diff", route("billing", namespace="payments")).status_code == 403


def test_what_is_refused_names_the_object(bob):
    answer = bob.yaml("/api/v1/apply", route("x", namespace="payments"))
    assert answer.status_code == 403
    [message] = answer.json()["messages"]
    assert message["object"] == {"group": "networking.istio.io", "kind": "VirtualService", "namespace": "payments", "name": "x"}
    assert message["level"] == "error"


def test_deleting_several_is_all_or_nothing(stored):
    some = [{"kind": "vs", "name": "reviews"}, {"kind": "virtualservice", "name": "nobody"}]
    assert stored.json("/api/v1/delete", {"resources": some}).status_code == 404
    assert len(names(stored)) == 3
    said = stored.json("/api/v1/delete", {"resources": [some[0], {"kind": "VirtualServices", "name": "billing", "namespace": "payments"}]})
    assert said.json()["revision"] == 2
    assert names(stored) == ["ratings"]


def test_a_resource_a_revision_or_everything_goes_back(stored):
    stored.apply(route(timeout="1s"))
    stored.apply(route("ratings", timeout="1s"))
    back = stored.json("/api/v1/rollback", {"kind": "vs", "name": "reviews", "revision": 1})
    assert (back.status_code, back.json()["revision"]) == (200, 4)
    assert stored.json("/api/v1/revisions/3/rollback?message=oops", {}).json()["revision"] == 5
    assert stored.get("/api/v1/revisions/5").json()["message"] == "oops"
    assert stored.json("/api/v1/revisions/1/restore", {}).json()["revision"] is None
    assert stored.json("/api/v1/revisions/2/rollback", {}).status_code == 409
    assert stored.json("/api/v1/revisions/99/rollback", {}).status_code == 404


def test_history_is_of_one_resource(stored):
    stored.apply(route(timeout="1s"))
    items = stored.get("/api/v1/history?kind=vs&name=reviews").json()["items"]
    assert [(i["revision"], i["operation"]) for i in items] == [(2, "update"), (1, "create")]
    assert stored.get("/api/v1/history?kind=vs&name=nobody").status_code == 404
    assert stored.get("/api/v1/history?kind=nonsense&name=x").status_code == 404
    assert stored.get("/api/v1/history?kind=vs").status_code == 400


def test_revisions_are_paged(stored):
    for i in range(4):
        stored.apply(route(timeout=f"{i + 1}s"))
    first = stored.get("/api/v1/revisions?limit=2").json()
    assert ([i["number"] for i in first["items"]], first["next"]) == ([5, 4], 4)
    assert [i["number"] for i in stored.get("/api/v1/revisions?limit=5&before=4").json()["items"]] == [3, 2, 1]


def test_the_status_of_a_revision_without_proxies_is_programmed(stored):
    assert stored.get("/api/v1/revisions/1/status").json()["state"] == "programmed"
    assert stored.get("/api/v1/revisions/2/status").status_code == 404


def test_resources_are_filtered(stored):
    def found(query):
        return [i["metadata"]["name"] for i in stored.get(f"/api/v1/resources?{query}").json()["items"]]

    assert found("namespace=payments") == ["billing"]
    assert found("labelSelector=team%3Dred") == ["reviews"]
    assert found("kind=vs&name=ratings") == ["ratings"]
    assert stored.get("/api/v1/resources?kind=nonsense").status_code == 404
    assert stored.get("/api/v1/resources?labelSelector=%3D%3D").status_code == 400


def test_each_kind_has_a_schema_for_editors(victor):
    for item in victor.get("/api/v1/schemas").json()["items"]:
        schema = victor.get(f"/api/v1/schemas/{item['kind']}").json()
        assert "spec" in schema["properties"]
        assert victor.get(f"/api/v1/schemas/{item['plural']}").json() == schema


def test_what_is_stored_can_be_analyzed_and_so_can_what_might_be(stored, victor):
    assert victor.get("/api/v1/analyze").status_code == 200
    answer = victor.yaml("/api/v1/analyze", route())
    assert answer.status_code == 200
    assert isinstance(answer.json()["messages"], list)
