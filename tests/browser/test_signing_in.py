"""Nobody sees anything before signing in; whoever does lands where they wanted to go."""

import pytest
from playwright.sync_api import expect

PAGES = [
    "/",
    "/topology/",
    "/services/",
    "/workloads/",
    "/proxies/",
    "/policies/",
    "/changes/",
    "/certificates/",
    "/join/",
    "/settings/",
    "/people/",
    "/audit/",
]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_asks_for_a_login_first(console, path):
    answer = console.api.get(path, headers={"authorization": ""})
    assert (answer.status_code, answer.headers["location"]) == (302, f"/login/?next={path}")


def test_signing_in_leads_to_where_one_wanted_to_go(open_page, console):
    page = open_page(console, sign_in=False)
    page.goto("/policies/")
    page.get_by_label("User name").fill(console.username)
    page.get_by_label("Password").fill(console.password)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{console.url}/policies/")


def test_a_wrong_password_is_said_to_be_wrong(open_page, console):
    page = open_page(console, sign_in=False)
    page.goto("/login/")
    page.get_by_label("User name").fill(console.username)
    page.get_by_label("Password").fill("guess")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("do not match")


def test_signing_out_ends_the_session(open_page, console):
    page = open_page(console, sign_in=False)  # a session of its own: others go on with theirs
    page.goto("/login/")
    page.get_by_label("User name").fill(console.username)
    page.get_by_label("Password").fill(console.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")
    page.locator("summary[aria-label='Your account']").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{console.url}/login/")
    page.goto("/policies/")
    expect(page).to_have_url(f"{console.url}/login/?next=/policies/")
