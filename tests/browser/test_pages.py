"""Every page: its own title, no complaint of the browser, readable by everyone, and honest when there is nothing to show."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

AXE = Path(__file__).resolve().parents[2] / "node_modules/axe-core/axe.min.js"
FULL = {
    "/": "Overview · Meshconsole",
    "/topology/?namespace=default": "Topology · default · Meshconsole",
    "/services/": "Services · Meshconsole",
    "/services/default/reviews/": "reviews · Service · default · Meshconsole",
    "/services/default/reviews/?tab=traffic": "reviews · Service · default · Meshconsole",
    "/workloads/": "Workloads · Meshconsole",
    "/workloads/default/reviews-v2/": "reviews-v2 · Workload · default · Meshconsole",
    "/workloads/default/reviews-v2/?tab=inbound": "reviews-v2 · Workload · default · Meshconsole",
    "/proxies/": "Proxies · Meshconsole",
    "/policies/": "Policies · Meshconsole",
    "/policies/new/": "New policy · Meshconsole",
    "/policies/new/?from=canary": "New VirtualService · Meshconsole",
    "/changes/": "Changes · Meshconsole",
    "/mtls/": "Mutual TLS · Meshconsole",
    "/certificates/": "Certificates · Meshconsole",
    "/certificates/authority/": "Own authority · Certificates · Meshconsole",
    "/join/": "Join a workload · Meshconsole",
    "/settings/": "Settings · Meshconsole",
    "/settings/security/": "Sign-in and security · Meshconsole",
    "/settings/security/authenticator/": "Set up an authenticator · Meshconsole",
    "/people/": "People · Meshconsole",
    "/people/new/": "Add somebody · Meshconsole",
    "/people/1/": "admin · Person · Meshconsole",
    "/audit/": "Audit log · Meshconsole",
}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_has_its_title_and_can_be_read_by_everyone(open_page, console, theme):
    page = open_page(console, color_scheme=theme)
    faults = []
    for path, title in FULL.items():
        page.goto(path)
        expect(page).to_have_title(title)
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        page.wait_for_timeout(250)  # charts and editors are chunks of their own
        page.evaluate(AXE.read_text())
        found = page.evaluate("axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa']})")
        faults += [
            f"{path}: {v['id']}: {n['target']} {n['failureSummary'].splitlines()[1:2]}" for v in found["violations"] for n in v["nodes"][:3]
        ]
    assert not faults, "\n".join(faults)


def test_an_empty_mesh_says_what_to_do_next(open_page, empty_console):
    page = open_page(empty_console)
    for path, action in {
        "/": "Join a workload",
        "/services/": "Join a workload",
        "/workloads/": "Join a workload",
        "/proxies/": "Join a workload",
        "/certificates/": "Join a workload",
        "/policies/": "New policy",
        "/changes/": "New policy",
        "/topology/": "Join a workload",
    }.items():
        page.goto(path)
        expect(page.locator(".empty a.btn.primary:visible", has_text=action).first).to_be_visible()


def test_the_palette_finds_a_workload_by_a_few_letters(page, console):
    page.keyboard.press("Control+k")
    page.keyboard.type("revv2")
    expect(page.get_by_role("option").first).to_contain_text("reviews-v2")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{console.url}/workloads/default/reviews-v2/")


def test_the_theme_is_chosen_and_kept(page):
    page.locator("summary[aria-label='Theme']").click()
    page.get_by_role("menuitemradio", name="Dark").click()
    page.goto("/services/")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_namespace_and_range_live_in_the_url_and_go_along(page, console):
    page.goto("/services/?range=1h")
    page.locator("summary[aria-label^=Namespace]").click()
    page.locator("#masthead .pop").get_by_role("link", name="default", exact=True).click()
    expect(page).to_have_url(f"{console.url}/services/?range=1h&namespace=default")
    page.locator("#nav").get_by_role("link", name="Workloads").click()
    expect(page).to_have_url(f"{console.url}/workloads/?namespace=default&range=1h")
    page.go_back()
    expect(page.locator("h1")).to_have_text("Services")


def test_a_list_follows_the_mesh_without_a_reload(page, console):
    page.goto("/services/")
    page.evaluate("window.mark = 'same page'")
    cell = page.locator("#service-list tr", has_text="details").locator("td.n").first
    before = cell.text_content()
    console.bookinfo("--seconds", "60")
    expect(cell).not_to_have_text(before)
    assert page.evaluate("window.mark") == "same page"


def test_a_join_token_is_shown_once_and_can_be_revoked(page):
    page.goto("/join/")
    page.get_by_label("Service account").fill("bookinfo-reviews")
    page.get_by_role("button", name="Make a join token").click()
    secret = page.locator("#join-secret").text_content()
    assert secret.startswith("mjt_")
    expect(page.locator("#start-agent")).to_contain_text(secret)
    page.goto("/join/")
    expect(page.locator("body")).not_to_contain_text(secret)
    page.once("dialog", lambda d: d.accept())
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("The join token is revoked")).to_be_visible()


def test_an_api_token_made_here_opens_the_api(page, console):
    page.goto("/settings/")
    page.get_by_label("Name", exact=True).fill("pipeline")
    page.get_by_role("button", name="Create token").click()
    secret = page.locator("#secret").text_content()
    headers = {"authorization": f"Bearer {secret}"}
    assert console.api.get("/api/v1/workloads", headers=headers).status_code == 200
    page.once("dialog", lambda d: d.accept())
    page.locator("tr", has_text="pipeline").get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("pipeline is revoked")).to_be_visible()
    assert console.api.get("/api/v1/workloads", headers=headers).status_code == 401


def test_what_does_not_exist_is_said_on_a_page_of_the_console(page):
    page.goto("/services/default/nobody/")
    expect(page.locator("h2")).to_contain_text(["There is nothing here"])
    expect(page.locator("#nav")).to_be_visible()
    for path in ("/no/such/page/", "/policies/nokinds/default/x/"):
        page.goto(path)
        expect(page.get_by_text("What this address names does not exist, or you may not see it.")).to_be_visible()
