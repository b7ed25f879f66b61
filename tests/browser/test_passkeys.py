"""Passkeys with a real Chromium and its virtual authenticator: made, used to sign in, phished in vain, removed."""

import pytest
from playwright.sync_api import expect

from .console import Console


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """A console that is reached by a name: passkeys are bound to one."""
    made = Console(tmp_path_factory.mktemp("passkeys")).start()
    made.url = made.url.replace("127.0.0.1", "localhost")
    try:
        yield made
    finally:
        made.stop()


def authenticator(page, *, verified: bool = True):
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True, "isUserVerified": verified,
        "automaticPresenceSimulation": True,
    }  # fmt: skip
    return session, session.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]


def test_a_passkey_is_made_signs_in_and_is_removed(open_page, named):
    page = open_page(named)
    session, device = authenticator(page)
    page.goto("/settings/security/")
    page.get_by_label("Name", exact=True).fill("My laptop")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_text("My laptop signs you in from now on.")).to_be_visible()
    page.context.clear_cookies()
    page.goto("/login/?next=/services/")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page).to_have_url(f"{named.url}/services/")
    [credential] = session.send("WebAuthn.getCredentials", {"authenticatorId": device})["credentials"]
    assert credential["rpId"] == "localhost"
    page.goto("/settings/security/")
    expect(page.locator("#passkeys tbody tr")).to_contain_text("My laptop")
    page.once("dialog", lambda d: d.accept())
    page.locator("#passkeys").get_by_role("button", name="Remove").click()
    expect(page.get_by_text("My laptop is removed.")).to_be_visible()
    page.context.clear_cookies()
    page.goto("/login/")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("alert").filter(has_text="Nobody here has this passkey")).to_be_visible()


def test_an_authenticator_that_did_not_verify_its_owner_makes_none(open_page, named):
    page = open_page(named)
    authenticator(page, verified=False)
    page.goto("/settings/security/")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.locator("#passkey-error")).to_be_visible()
    expect(page.locator("#passkeys")).to_contain_text("No passkeys")
