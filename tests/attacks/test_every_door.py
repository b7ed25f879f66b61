"""Every address of the console, pages and all, tried by everyone: a walk over the URL configuration, so that a new one without a row here fails."""

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from meshconsole.accounts.models import ApiToken, AuditEntry, User
from meshconsole.ca.models import JoinToken
from meshconsole.configstore import store
from meshconsole.core import policies
from tests.accounts import people
from tests.configstore.manifests import route

pytestmark = pytest.mark.django_db
PERSONS = ("stranger", "outsider", "viewer", "editor", "admin")
SIGN_IN = "sign in"
"""302 to /login/."""


NO = 405
TOLD = "302, told"
"""Back where they came from, with the reason why nothing was done."""
PAGE = (200,)
GONE = (404,)
"""Not there, for whoever asks: the walk has no such object. What its page lets whom do is tested beside it."""
SEEN = (404, 200, 200, 200)
"""Of namespace default. For the outsider it is not there, rather than forbidden."""
THEIRS = (404, 404, 404, 200)
"""Of namespace payments, where viewer and editor have no role."""
ADMINS = (403, 403, 403, 200)
ASIDE = (302,)
VS = "/policies/virtualservices/default/reviews"
BILLING = "/policies/virtualservices/payments/billing"
YAML = {"yaml": route("reviews", timeout="3s"), "message": "walk"}

# Path -> the answers to GET and to POST for the four who have signed in (one for all, or outsider, viewer, editor, admin; the stranger is asked to sign
# in), and what is posted. With five, the first is the stranger's.
TABLE: dict[str, tuple[tuple, tuple, dict]] = {
    "/api/schema/": ((401, 200, 200, 200, 200), (401, NO, NO, NO, NO), {}),
    "/api/docs/": (PAGE, (NO,), {}),
    "/login/": ((200, 302, 302, 302, 302), (200, 302, 302, 302, 302), {"username": "x", "password": "y"}),
    "/login/code/": ((302,) * 5, (302,) * 5, {"code": "000000"}),
    "/login/passkey/options/": ((NO,) * 5, (200,) * 5, {}),
    "/login/passkey/": ((NO,) * 5, (403,) * 5, {"answer": "{}"}),
    "/login/sso/": ((404,) * 5, (NO,) * 5, {}),
    "/login/sso/callback/": ((404,) * 5, (NO,) * 5, {}),
    "/welcome/x/x/": ((200,) * 5, (200,) * 5, {"new_password1": "a", "new_password2": "a"}),
    "/": (PAGE, (NO,), {}),
    "/topology/": (PAGE, (NO,), {}),
    "/traces/": (PAGE, (NO,), {}),
    "/traces/compare/": (GONE, (NO,), {}),
    "/traces/0af7651916cd43dd8448eb211c80319c/": (GONE, (NO,), {}),
    "/denials/": (PAGE, (NO,), {}),
    "/why/": (PAGE, (NO,), {}),
    "/mtls/": (PAGE, (NO,), {}),
    "/logs/": (PAGE, (NO,), {}),
    "/logs/7777/": (GONE, (NO,), {}),
    "/services/": (PAGE, (NO,), {}),
    "/services/default/nobody/": (GONE, (NO,), {}),
    "/workloads/": (PAGE, (NO,), {}),
    "/workloads/default/nobody/": (GONE, (NO,), {}),
    "/proxies/": (PAGE, (NO,), {}),
    "/proxies/default/nobody/": (GONE, (NO,), {}),
    "/policies/": (PAGE, (NO,), {}),
    "/policies/new/": (PAGE, (NO,), {}),
    "/policies/check/": ((NO,), PAGE, YAML),
    "/policies/preview/": ((NO,), PAGE, YAML),
    "/policies/save/": ((NO,), ("200, told", "200, told", 204, 204), YAML),
    f"{VS}/": (SEEN, (NO,), {}),
    f"{VS}/rollback/1/": (SEEN, (404, TOLD, 302, 302), {}),
    f"{VS}/delete/": (SEEN, (404, TOLD, 302, 302), {}),
    f"{BILLING}/": (THEIRS, (NO,), {}),
    f"{BILLING}/delete/": (THEIRS, (404, 404, 404, 302), {}),
    "/changes/": (PAGE, (NO,), {}),
    "/changes/1/": (SEEN, (NO,), {}),
    "/changes/3/": (THEIRS, (NO,), {}),
    "/changes/2/rollback/": (PAGE, (TOLD, TOLD, 302, 302), {}),
    "/changes/1/programmed/": (SEEN, (NO,), {}),
    "/alerts/": (PAGE, (NO,), {}),
    "/alerts/7777/": (GONE, (NO,), {}),
    "/alerts/7777/acknowledge/": ((NO,), GONE, {}),
    "/alerts/7777/silence/": ((NO,), GONE, {"seconds": "3600"}),
    "/alerts/maintenance/": (PAGE, PAGE, {}),
    "/alerts/silences/7777/end/": ((NO,), GONE, {}),
    "/alerts/channels/": (PAGE, (NO,), {}),
    "/alerts/channels/default/nobody/test/": ((NO,), GONE, {}),
    "/alerts/channels/default/nobody/secret/": ((NO,), GONE, {"value": "x"}),
    "/alerts/messages/7777/retry/": ((NO,), GONE, {}),
    "/objectives/": (PAGE, (NO,), {}),
    "/certificates/": (PAGE, (NO,), {}),
    "/certificates/77f7/": (GONE, (NO,), {}),
    "/certificates/77f7/revoke/": ((NO,), GONE, {}),
    "/certificates/rotate/root/": ((NO,), (403, 403, 403, 302), {}),
    "/certificates/authority/": (ADMINS, (403, 403, 403, 422), {}),
    "/certificates/readmit/default/nobody/": ((NO,), (404, 404, 404, 302), {}),
    "/join/": (PAGE, PAGE, {"namespace": "default", "service_account": "x", "ttl": "900", "uses": "1"}),
    "/join/{join}/revoke/": ((NO,), (404, 404, 404, 302), {}),
    "/settings/": (PAGE, PAGE, {"name": "walk", "days": "30", "access": "read"}),
    "/settings/tokens/{token}/rotate/": ((NO,), (404, 404, 404, 200), {}),
    "/settings/tokens/{token}/revoke/": ((NO,), (404, 404, 404, 302), {}),
    "/settings/security/": (PAGE, (NO,), {}),
    "/settings/security/password/": ((NO,), (400,), {"current": "x", "new": "y", "again": "y"}),
    "/settings/security/authenticator/": (PAGE, (400,), {"code": "000000"}),
    "/settings/security/passkeys/options/": ((NO,), PAGE, {}),
    "/settings/security/passkeys/": ((NO,), (400,), {"answer": "{}"}),
    "/settings/security/passkeys/7777/remove/": ((NO,), GONE, {}),
    "/settings/security/recovery/": ((NO,), ASIDE, {}),
    "/settings/security/sign-out/": ((NO,), ASIDE, {}),
    "/settings/security/sessions/7777/end/": ((NO,), GONE, {}),
    "/people/": (ADMINS, (NO,), {}),
    "/people/new/": (ADMINS, (403, 403, 403, 200), {"username": "walker"}),
    "/people/{dora}/": ((404, 404, 404, 200), (NO,), {}),
    "/people/{dora}/role/": ((NO,), (404, 404, 404, 302), {"namespace": "*", "role": "admin"}),
    "/people/{dora}/active/": ((NO,), (404, 404, 404, 302), {"active": "0"}),
    "/people/{dora}/invite/": ((NO,), (404, 404, 404, 200), {}),
    "/audit/": (ADMINS, (NO,), {}),
    "/audit/chain/": (ADMINS, (NO,), {}),
    "/audit/export/": (ADMINS, (NO,), {}),
    "/palette.json": (PAGE, (NO,), {}),
    "/logout/": ((NO,) * 5, (302,) * 5, {}),
}


@pytest.fixture
def browsers(db):
    """A browser for each person, in a mesh with two revisions of a route, a join token and an API token."""
    from meshconsole.accounts import tokens as api_tokens
    from meshconsole.accounts.author import Author
    from meshconsole.ca import tokens

    for text in (route("reviews"), route("reviews", timeout="2s"), route("billing", namespace="payments")):
        parsed, _ = policies.parse(text)
        store.apply(parsed, author=Author("system"))
    tokens.make("default", "default", 3600, 1, created_by="system")
    cast = {"stranger": None, "outsider": people.person("charlie"), "viewer": people.person("victor", default="viewer"),
            "editor": people.person("bob", default="editor"), "admin": people.alice()}  # fmt: skip
    people.person("dora")
    api_tokens.create(cast["admin"], "hers")
    made = {}
    for name, user in cast.items():
        made[name] = Client(raise_request_exception=False)
        if user is not None:
            made[name].force_login(user)
    return made


def answer(response) -> object:
    if response.status_code == 302 and response["Location"].startswith("/login/?next="):
        return SIGN_IN
    return response.status_code


def places() -> dict[str, str]:
    """Names of routes -> their patterns; the API's own are in tests/api/test_permissions.py, which walks them in the same way."""

    def walk(patterns, prefix=""):
        for p in patterns:
            if isinstance(p, URLResolver):
                yield from walk(p.url_patterns, prefix + str(p.pattern))
            elif isinstance(p, URLPattern):
                yield (p.name or str(p.pattern), prefix + str(p.pattern), p.callback)

    from meshconsole.api.view import View

    return {name: path for name, path, view in walk(get_resolver().url_patterns) if not issubclass(getattr(view, "cls", object), View)}


def filled(path: str) -> str:
    if "{" not in path:
        return path
    return path.format(
        join=JoinToken.objects.earliest("pk").pk, token=ApiToken.objects.earliest("pk").pk, dora=User.objects.get(username="dora").pk
    )


def whole(said: tuple) -> tuple:
    return said if len(said) == 5 else (SIGN_IN, *(said * 4 if len(said) == 1 else said))


@pytest.mark.parametrize("path", TABLE)
def test_each_address_answers_each_person_as_it_should(path, browsers):
    get, post, body = TABLE[path]
    there = filled(path)
    got = tuple(answer(browsers[p].get(there)) for p in PERSONS)
    assert got == whole(get), f"GET {there}"
    before = (AuditEntry.objects.count(), store.latest())
    for person, wanted in zip(PERSONS, whole(post), strict=True):
        told = str(wanted).endswith("told")
        assert answer(browsers[person].post(there, body)) == (int(str(wanted)[:3]) if told else wanted), f"POST {there} by {person}"
        if told or wanted in (SIGN_IN, 401, 403, 404, 405):
            assert (AuditEntry.objects.count(), store.latest()) == before, f"{person} was refused, and something happened all the same"


def test_no_address_is_missing_from_the_table(db):
    walked = {get_resolver().resolve(path.format(join=1, token=1, dora=1)).url_name for path in TABLE}
    missing = sorted(set(places()) - walked)
    assert missing == [], "add a row to TABLE: what each person gets there by GET and by POST"


@pytest.mark.parametrize("path", TABLE)
def test_no_page_takes_a_post_that_another_site_made(path, browsers):
    """Cross-site request forgery: signed in, all cookies there, but not the token of a page of ours."""
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="alice"))
    before = (AuditEntry.objects.count(), store.latest())
    there = filled(path)
    assert strict.post(there, TABLE[path][2], headers={"origin": "https://evil.example"}).status_code in (403, 405)
    assert (AuditEntry.objects.count(), store.latest()) == before


def test_whoever_was_disabled_is_outside_at_once(browsers):
    User.objects.filter(username="alice").update(is_active=False)
    assert {answer(browsers["admin"].get(p)) for p in ("/", "/people/", "/audit/", "/settings/")} == {SIGN_IN}
