"""Every URL of the API, asked by everyone: a walk over the URL configuration, so that a new path without a row here fails."""

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from meshconsole.api import urls
from meshconsole.api.view import View

from ..configstore.manifests import route

VS = "/apis/networking.istio.io/v1/namespaces"
BODY = route("walk")
PERSONS = ("stranger", "charlie", "victor", "bob", "alice")

# For each method of each path: the answer to a stranger, an outsider, a viewer, an editor and an admin. `ok` is any answer but 401 and 403.
ANYONE = ("ok", "ok", "ok", "ok", "ok")
PEOPLE = (401, "ok", "ok", "ok", "ok")
VIEWERS = (401, 403, "ok", "ok", "ok")
EDITORS = (401, 403, 403, "ok", "ok")
ADMINS = (401, 403, 403, 403, "ok")
TABLE = {
    ("GET", "/healthz"): ANYONE,
    ("GET", "/readyz"): ANYONE,
    ("GET", "/metrics"): ANYONE,
    ("GET", "/version"): ANYONE,
    ("GET", "/sd/prometheus"): VIEWERS,
    ("POST", "/api/v1/apply"): EDITORS,
    ("POST", "/api/v1/delete"): EDITORS,
    ("POST", "/api/v1/diff"): VIEWERS,
    ("GET", "/api/v1/analyze"): VIEWERS,
    ("POST", "/api/v1/analyze"): VIEWERS,
    ("GET", "/api/v1/resources"): VIEWERS,
    ("GET", "/api/v1/schemas"): PEOPLE,
    ("GET", "/api/v1/schemas/VirtualService"): PEOPLE,
    ("GET", "/api/v1/revisions"): VIEWERS,
    ("GET", "/api/v1/revisions/1"): VIEWERS,
    ("GET", "/api/v1/revisions/1/status"): VIEWERS,
    ("POST", "/api/v1/revisions/2/rollback?dryRun=1"): EDITORS,
    ("POST", "/api/v1/revisions/1/restore?dryRun=1"): EDITORS,
    ("POST", "/api/v1/rollback?dryRun=1"): EDITORS,
    ("GET", "/api/v1/history?kind=vs&name=reviews"): VIEWERS,
    ("GET", "/api/v1/proxies"): VIEWERS,
    ("GET", "/api/v1/proxies/default/nobody"): VIEWERS,
    ("GET", "/api/v1/proxies/default/nobody/config"): VIEWERS,
    ("GET", "/api/v1/proxies/default/nobody/diff"): VIEWERS,
    ("GET", "/api/v1/services"): VIEWERS,
    ("GET", "/api/v1/workloads"): VIEWERS,
    ("GET", "/api/v1/topology"): VIEWERS,
    ("GET", "/api/v1/mtls"): VIEWERS,
    ("GET", "/api/v1/topology/comparison"): VIEWERS,
    ("GET", "/api/v1/topology/strip"): VIEWERS,
    ("GET", "/api/v1/metrics"): VIEWERS,
    ("GET", "/api/v1/traces"): VIEWERS,
    ("GET", "/api/v1/traces/0af7651916cd43dd8448eb211c80319c"): VIEWERS,
    ("GET", "/api/v1/denials"): VIEWERS,
    ("GET", "/api/v1/explain?from=default/nobody&to=reviews"): VIEWERS,
    ("GET", "/api/v1/logs"): VIEWERS,
    ("GET", "/api/v1/logs/7777"): VIEWERS,
    ("GET", "/api/v1/traces/0af7651916cd43dd8448eb211c80319c/comparison"): VIEWERS,
    ("POST", "/v1/traces"): EDITORS,
    ("GET", "/api/v1/certificates"): VIEWERS,
    ("POST", "/api/v1/certificates/77/revoke"): ADMINS,
    ("GET", "/api/v1/evictions"): ADMINS,
    ("POST", "/api/v1/evictions"): ADMINS,
    ("DELETE", "/api/v1/evictions/payments/nobody"): ADMINS,
    ("GET", "/api/v1/ca"): VIEWERS,
    ("POST", "/api/v1/ca/rotations"): ADMINS,
    ("DELETE", "/api/v1/ca/rotations"): ADMINS,
    ("POST", "/api/v1/ca/rotations/force"): ADMINS,
    ("POST", "/api/v1/ca/import"): ADMINS,
    ("POST", "/api/v1/ca/csr"): ADMINS,
    ("POST", "/api/v1/ca/adopt"): ADMINS,
    ("POST", "/api/v1/ca/reencryption"): ADMINS,
    ("GET", "/api/v1/join-tokens"): ADMINS,
    ("POST", "/api/v1/join-tokens"): ADMINS,
    ("DELETE", "/api/v1/join-tokens/7"): ADMINS,
    ("GET", "/api/v1/tokens"): PEOPLE,
    ("POST", "/api/v1/tokens"): PEOPLE,
    ("DELETE", "/api/v1/tokens/7777"): PEOPLE,
    ("POST", "/api/v1/tokens/7777/rotate"): PEOPLE,
    ("GET", "/api/v1/me"): PEOPLE,
    ("GET", "/api/v1/people"): ADMINS,
    ("POST", "/api/v1/people"): ADMINS,
    ("GET", "/api/v1/people/charlie"): ADMINS,
    ("PATCH", "/api/v1/people/charlie"): ADMINS,
    ("PUT", "/api/v1/people/charlie/roles/default"): ADMINS,
    ("DELETE", "/api/v1/people/charlie/roles/payments"): ADMINS,
    ("POST", "/api/v1/people/charlie/invitation"): ADMINS,
    ("DELETE", "/api/v1/people/charlie/sessions"): ADMINS,
    ("DELETE", "/api/v1/people/charlie/lockout"): ADMINS,
    ("DELETE", "/api/v1/people/charlie/second-factor"): ADMINS,
    ("GET", "/api/v1/audit"): ADMINS,
    ("GET", "/api/v1/audit/export"): ADMINS,
    ("GET", "/api/v1/audit/verify"): ADMINS,
    ("GET", "/api/v1/alerts"): VIEWERS,
    ("GET", "/api/v1/alerts/7777"): VIEWERS,
    ("POST", "/api/v1/alerts/7777/acknowledge"): EDITORS,
    ("POST", "/api/v1/alerts/7777/silence"): EDITORS,
    ("GET", "/api/v1/silences"): VIEWERS,
    ("POST", "/api/v1/silences"): EDITORS,
    ("DELETE", "/api/v1/silences/7777"): EDITORS,
    ("GET", "/api/v1/alert-rules"): VIEWERS,
    ("GET", "/api/v1/alert-rules/prometheus"): VIEWERS,
    ("GET", "/api/v1/slos"): VIEWERS,
    ("GET", "/api/v1/notifiers"): VIEWERS,
    ("PUT", "/api/v1/notifiers/default/nobody/secret"): EDITORS,
    ("POST", "/api/v1/notifiers/default/nobody/test"): EDITORS,
    ("PUT", "/api/v1/notifiers/payments/nobody/secret"): ADMINS,
    ("POST", "/api/v1/notifiers/payments/nobody/test"): ADMINS,
    ("POST", "/api/v1/deliveries/7777/retry"): EDITORS,
    ("GET", "/api"): PEOPLE,
    ("GET", "/api/v1"): PEOPLE,
    ("GET", "/api/v1/namespaces"): VIEWERS,
    ("POST", "/api/v1/namespaces"): PEOPLE,
    ("GET", "/api/v1/namespaces/default"): VIEWERS,
    ("DELETE", "/api/v1/namespaces/default"): PEOPLE,
    ("GET", "/apis"): PEOPLE,
    ("GET", "/apis/networking.istio.io"): PEOPLE,
    ("GET", "/apis/networking.istio.io/v1"): PEOPLE,
    ("GET", "/apis/networking.istio.io/v1/virtualservices"): VIEWERS,
    ("POST", "/apis/networking.istio.io/v1/virtualservices"): EDITORS,
    ("DELETE", "/apis/networking.istio.io/v1/virtualservices?dryRun=All&labelSelector=team"): EDITORS,
    ("GET", f"{VS}/default/virtualservices"): VIEWERS,
    ("POST", f"{VS}/default/virtualservices"): EDITORS,
    ("DELETE", f"{VS}/default/virtualservices?dryRun=All"): EDITORS,
    ("GET", f"{VS}/default/virtualservices/reviews"): VIEWERS,
    ("PUT", f"{VS}/default/virtualservices/reviews"): EDITORS,
    ("PATCH", f"{VS}/default/virtualservices/reviews"): EDITORS,
    ("DELETE", f"{VS}/default/virtualservices/reviews?dryRun=All"): EDITORS,
    ("GET", f"{VS}/payments/virtualservices"): ADMINS,
    ("GET", f"{VS}/payments/virtualservices/billing"): ADMINS,
    ("PATCH", f"{VS}/payments/virtualservices/billing"): ADMINS,
    ("DELETE", f"{VS}/payments/virtualservices/billing?dryRun=All"): ADMINS,
    ("GET", "/api/v1/proxies/payments/nobody"): ADMINS,
    ("GET", "/api/v1/proxies/payments/nobody/config"): ADMINS,
    ("GET", "/api/v1/secrets"): VIEWERS,
    ("POST", "/api/v1/secrets"): EDITORS,
    ("DELETE", "/api/v1/secrets?dryRun=All&labelSelector=team"): EDITORS,
    ("GET", "/api/v1/namespaces/default/secrets"): VIEWERS,
    ("POST", "/api/v1/namespaces/default/secrets"): EDITORS,
    ("DELETE", "/api/v1/namespaces/default/secrets?dryRun=All"): EDITORS,
    ("GET", "/api/v1/namespaces/default/secrets/shop"): VIEWERS,
    ("PUT", "/api/v1/namespaces/default/secrets/shop"): EDITORS,
    ("PATCH", "/api/v1/namespaces/default/secrets/shop"): EDITORS,
    ("DELETE", "/api/v1/namespaces/default/secrets/shop?dryRun=All"): EDITORS,
    ("GET", "/api/v1/namespaces/payments/secrets/shop"): ADMINS,
    ("GET", "/openapi/v3/api/v1"): PEOPLE,
    ("GET", "/openapi/v2"): PEOPLE,
    ("GET", "/openapi/v3"): PEOPLE,
    ("GET", "/openapi/v3/apis/networking.istio.io/v1"): PEOPLE,
    ("GET", "/api/v1/nowhere"): ANYONE,
}
JSON = {
    "/api/v1/delete": {"resources": [{"kind": "vs", "name": "reviews"}]},
    "/api/v1/rollback?dryRun=1": {"kind": "vs", "name": "reviews", "revision": 1},
    "/api/v1/join-tokens": {},
    "/api/v1/alerts/7777/silence": {},
    "/api/v1/silences": {"matchers": {"rule": "walk"}},
    "/api/v1/tokens": {"name": "walk"},
    "/api/v1/people": {"username": "walker"},
    "/api/v1/people/charlie": {"active": True},
    "/api/v1/people/charlie/roles/default": {"role": ""},
}


@pytest.mark.parametrize("method,path", TABLE, ids=lambda v: v)
def test_each_url_answers_each_person_as_it_should(method, path, stored, request):
    stored.apply(route("reviews", timeout="1s"))
    for name, wanted in zip(PERSONS, TABLE[method, path], strict=True):
        api = request.getfixturevalue(name)
        if method == "GET":
            answer = api.get(path)
        elif path in JSON:
            answer = api.json(path, JSON[path], method)
        elif method == "PATCH":
            answer = api.json(path, {}, method, "application/merge-patch+json")
        elif "virtualservices" in path:
            answer = api.json(path, {} if method != "DELETE" else {}, method)
        else:
            answer = api.yaml(path, BODY, method)
        assert answer.status_code < 500, f"{name}: {answer.content}"
        got = answer.status_code if answer.status_code in (401, 403) else "ok"
        assert got == wanted, f"{name}: {answer.status_code} {answer.content[:300]}"


def test_no_url_is_missing_from_the_table():
    walked = {(method, get_resolver().resolve(path.partition("?")[0]).route) for method, path in TABLE}
    missing = []
    for pattern in patterns(urls.urlpatterns):
        cls = getattr(pattern.callback, "cls", None)
        if cls is None or not issubclass(cls, View) or "(?P<path>" in str(pattern.pattern):
            continue
        missing += [(m, str(pattern.pattern)) for m in cls.needs if (m, str(pattern.pattern)) not in walked]
    assert missing == []


def patterns(found):
    for p in found:
        if isinstance(p, URLResolver):
            yield from patterns(p.url_patterns)
        elif isinstance(p, URLPattern):
            yield p


def test_a_view_that_does_not_name_its_permission_cannot_be_written():
    with pytest.raises(TypeError, match="does not name its permission"):

        class Careless(View):
            needs = {}

            def get(self, request):
                return None


def test_lists_hold_only_what_one_may_see(stored, bob):
    assert [i["metadata"]["name"] for i in bob.get("/api/v1/resources").json()["items"]] == ["ratings", "reviews"]
    assert [i["metadata"]["name"] for i in bob.get("/apis/networking.istio.io/v1/virtualservices").json()["items"]] == [
        "ratings",
        "reviews",
    ]
    assert len(stored.get("/api/v1/resources").json()["items"]) == 3
    [revision] = bob.get("/api/v1/revisions").json()["items"]
    assert {c["namespace"] for c in revision["changes"]} == {"default"}
    assert "billing" not in bob.get("/api/v1/revisions/1").content.decode()


def test_a_session_needs_the_csrf_token_to_change_anything(stored, client):
    from meshconsole.accounts.models import User

    strict = type(client)(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="alice"))
    assert strict.get("/api/v1/resources").status_code == 200
    answer = strict.post("/api/v1/apply", route("forged"), content_type="application/yaml")
    assert answer.status_code == 403
    assert "CSRF" in answer.json()["error"]
