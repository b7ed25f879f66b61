"""What pages show and do is cut down to the namespaces of whoever asks."""

import pytest

from meshconsole.configstore import store
from meshconsole.configstore.store import Author
from meshconsole.core import policies

ROUTE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  hosts: [{name}.example.com]
  http: [{{timeout: {timeout}, route: [{{destination: {{host: reviews}}}}]}}]
"""


def stored(name: str, namespace: str = "default", timeout: str = "1s") -> int:
    parsed, _ = policies.parse(ROUTE.format(name=name, namespace=namespace, timeout=timeout))
    return store.apply(parsed, author=Author("system"), message=f"{name} of {namespace}").revision


def page(client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def test_lists_and_changes_hold_only_namespaces_that_one_may_see(bob):
    stored("mine")
    stored("theirs", "payments")
    for path in ("/policies/", "/changes/", "/palette.json"):
        said = page(bob, path)
        assert "mine" in said
        assert "theirs" not in said


@pytest.mark.parametrize("tab", ["", "?tab=history"])
def test_a_policy_of_another_namespace_is_not_there(bob, tab):
    stored("theirs", "payments")
    assert bob.get(f"/policies/virtualservices/payments/theirs/{tab}").status_code == 404


def test_a_revision_of_another_namespace_is_not_there(bob):
    number = stored("theirs", "payments")
    assert bob.get(f"/changes/{number}/").status_code == 404
    assert bob.get(f"/changes/{number}/rollback/").content.decode().count("theirs.example.com") == 0


def test_the_strip_of_a_hidden_revision_is_not_there(bob):
    number = stored("theirs", "payments")
    assert bob.get(f"/changes/{number}/programmed/").status_code == 404


def test_nobody_saves_where_they_may_not(bob, charlie):
    for client in (bob, charlie):
        answer = client.post("/policies/save/", {"yaml": ROUTE.format(name="new", namespace="payments", timeout="1s")})
        assert "HX-Redirect" not in answer.headers
        assert "may not" in answer.content.decode()
    assert store.list_() == []


def test_nobody_deletes_or_rolls_back_where_they_may_not(charlie, bob):
    first = stored("theirs", "payments")
    stored("theirs", "payments", "2s")
    for client in (bob, charlie):
        for path in ("delete/", f"rollback/{first}/"):
            assert client.post(f"/policies/virtualservices/payments/theirs/{path}").status_code == 404
        client.post(f"/changes/{first + 1}/rollback/")
    assert store.list_()[0].body["spec"]["http"][0]["timeout"] == "2s"


def test_an_editor_saves_and_the_browser_is_sent_to_the_policy(bob):
    answer = bob.post("/policies/save/", {"yaml": ROUTE.format(name="new", namespace="default", timeout="1s"), "message": "for the test"})
    assert answer.headers["HX-Redirect"] == "/policies/virtualservices/default/new/?saved=1"
    revision = store.revision(1)
    assert (revision.author, revision.door, revision.message) == ("bob", "browser", "for the test")


def test_only_admins_make_join_tokens(bob):
    assert "Only admins make join tokens" in page(bob, "/join/")
    from meshconsole.ca.models import JoinToken

    bob.post("/join/", {"namespace": "default", "service_account": "default", "ttl": "3600", "uses": "1"})
    assert not JoinToken.objects.exists()


def test_a_token_of_somebody_else_is_not_revoked(alice, bob):
    from meshconsole.accounts import tokens
    from meshconsole.accounts.models import ApiToken, User

    token, _ = tokens.create(User.objects.get(username="alice"), "hers")
    assert bob.post(f"/settings/tokens/{token.pk}/revoke/").status_code == 404
    assert ApiToken.objects.get(pk=token.pk).revoked is None


@pytest.mark.parametrize(
    "path", ["/", "/services/", "/workloads/", "/proxies/", "/policies/", "/changes/", "/certificates/", "/settings/", "/topology/"]
)
def test_whoever_may_see_nothing_sees_pages_without_anything(charlie, path):
    stored("mine")
    assert "mine" not in page(charlie, path)


@pytest.mark.parametrize(
    "path",
    [
        "/?range=nonsense",
        "/services/?namespace=%00",
        "/changes/?before=x",
        "/proxies/?state=%3Cb%3E",
        "/policies/?kind=x",
        "/?namespace=" + "a" * 500,
    ],
)
def test_nonsense_in_the_address_is_no_error(alice, path):
    stored("mine")
    assert alice.get(path).status_code == 200


def test_what_users_wrote_is_never_markup(alice):
    parsed, _ = policies.parse(ROUTE.format(name="plain", namespace="default", timeout="1s"))
    store.apply(parsed, author=Author("system"), message="<script>alert(1)</script>")
    for path in ("/changes/", "/changes/1/", "/policies/virtualservices/default/plain/?tab=history", "/"):
        assert "<script>alert" not in page(alice, path)
