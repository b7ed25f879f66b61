"""A policy's life in the browser: begun from an example, wrong at first, previewed, saved, changed, rolled back, deleted."""

import pytest
from playwright.sync_api import expect

from .pages import preview, programmed, save, write

ROUTE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: {name}
  namespace: default
spec:
  hosts:
  - {name}.example.com
  http:
  - timeout: {timeout}
    route:
    - destination:
        host: details
"""
"""Each for a host of its own: two routes for one host are refused."""


def test_a_policy_is_begun_from_an_example_previewed_and_saved(page):
    page.goto("/policies/new/")
    page.get_by_role("link", name="Timeout and retries").click()
    expect(page.locator("#editor-form .cm-content")).to_contain_text("perTryTimeout")
    expect(page.locator("[data-verdict]")).to_contain_text("Valid")
    dialog = preview(page)
    expect(dialog).to_contain_text("Create VirtualService ratings")
    expect(dialog.locator("tr.add", has_text="perTryTimeout: 500ms")).to_be_visible()
    dialog.get_by_label("Why").fill("Ratings may fail now and then")
    dialog.get_by_role("button", name="Save").click()
    page.wait_for_url("**/policies/virtualservices/default/ratings/?saved=*")
    expect(programmed(page)).to_be_visible()
    page.goto("/changes/")
    expect(page.get_by_text("Ratings may fail now and then")).to_be_visible()


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (ROUTE.format(name="wrong", timeout="5s").replace("route:", "rout:"), 11, "rout"),
        (ROUTE.format(name="wrong", timeout="soon"), 10, "timeout"),
        (ROUTE.format(name="wrong", timeout="5s") + "   bad: [", 14, ""),
    ],
)
def test_a_mistake_is_shown_at_its_line(page, text, line, said):
    page.goto("/policies/new/?from=blank")
    write(page, text)
    problem = page.locator("[data-problems] li.error").first
    expect(problem).to_contain_text(f"line {line}")
    expect(problem).to_contain_text(said)
    expect(page.locator("[data-verdict]")).to_contain_text("problem")
    expect(page.locator(".cm-lint-marker-error").first).to_be_visible()
    page.get_by_role("button", name="Preview changes").click()
    expect(page.get_by_role("dialog", name="Preview of the changes")).to_contain_text("This cannot be saved")


def test_a_change_shows_its_difference_and_can_be_rolled_back(page, console):
    first = console.apply(ROUTE.format(name="details", timeout="1s"), "One second for details")
    page.goto("/policies/virtualservices/default/details/")
    write(page, ROUTE.format(name="details", timeout="9s"))
    dialog = preview(page)
    expect(dialog.locator("tr.del")).to_contain_text("timeout: 1s")
    expect(dialog.locator("tr.add")).to_contain_text("timeout: 9s")
    dialog.get_by_role("button", name="Keep editing").click()
    second = save(page, "Details are slow today")
    assert second > first
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.get_by_text(f"Revision {second} is undone by revision {second + 1}.")).to_be_visible()
    page.goto("/policies/virtualservices/default/details/")
    expect(page.locator("#editor-form .cm-content")).to_contain_text("timeout: 1s")

    page.goto("/policies/virtualservices/default/details/?tab=history")
    slow = page.locator(".timeline li", has_text="Details are slow today").first
    slow.get_by_role("button", name="Roll back to this").click()
    dialog = page.get_by_role("dialog", name="Confirm")
    expect(dialog.locator("tr.add")).to_contain_text("timeout: 9s")
    dialog.get_by_role("button", name="Roll back").click()
    expect(page.locator("#editor-form .cm-content")).to_contain_text("timeout: 9s")
    expect(page.get_by_text(f"Rolled back to revision {second}")).to_be_visible()


def test_a_whole_revision_can_be_undone(page, console):
    text = "---\n".join(ROUTE.format(name=n, timeout="3s") for n in ("undo-a", "undo-b"))
    number = console.apply(text, "Two at once")
    page.goto(f"/changes/{number}/")
    expect(page.locator("section.card h2")).to_contain_text(["undo-a", "undo-b"])
    page.get_by_role("button", name="Undo this revision").click()
    dialog = page.get_by_role("dialog", name="Confirm")
    expect(dialog).to_contain_text("undo-b")
    dialog.get_by_role("button", name="Undo").click()
    page.wait_for_url(f"**/changes/{number + 1}/?saved=1")
    page.goto("/policies/")
    expect(page.get_by_text("undo-a")).to_have_count(0)


def test_a_deleted_policy_keeps_its_history_and_comes_back(page, console):
    console.apply(ROUTE.format(name="gone", timeout="4s"), "Soon gone")
    page.goto("/policies/virtualservices/default/gone/")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog", name="Confirm").get_by_role("button", name="Delete").click()
    page.wait_for_url("**/policies/")
    expect(page.locator("#policy-list").get_by_role("link", name="gone", exact=True)).to_have_count(0)
    page.goto("/policies/virtualservices/default/gone/")
    expect(page.get_by_text("Deleted").first).to_be_visible()
    page.get_by_role("button", name="Roll back to this").click()
    page.get_by_role("dialog", name="Confirm").get_by_role("button", name="Roll back").click()
    expect(page.locator("#editor-form .cm-content")).to_contain_text("timeout: 4s")


def test_fields_are_completed_from_the_kinds_schema(page):
    page.goto("/policies/new/?from=retries")
    page.locator("#editor-form .cm-line", has_text="timeout: 2s").click()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.keyboard.type("mirr")
    options = page.locator(".cm-tooltip-autocomplete li")
    expect(options.first).to_contain_text("mirror")


def test_a_viewer_sees_policies_and_cannot_change_them(open_page, console):
    console.apply(ROUTE.format(name="readable", timeout="2s"))
    console.run(
        "-c",
        "import django; django.setup()\n"
        "from meshconsole.accounts.models import Grant, User\n"
        "user, new = User.objects.get_or_create(username='vera')\n"
        "user.set_password('only looking'); user.save()\n"
        "Grant.objects.get_or_create(user=user, namespace='default', defaults={'role': 'viewer'})\n",
    )
    page = open_page(console, username="vera", password="only looking")
    page.goto("/policies/virtualservices/default/readable/")
    expect(page.locator("[data-verdict]")).to_contain_text("Read only")
    for name in ("Preview changes", "Delete"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    page.goto("/join/")
    expect(page.get_by_text("Only admins make join tokens")).to_be_visible()
    token = page.locator("meta[name=csrf-token]").get_attribute("content")
    answer = page.request.post(
        f"{console.url}/policies/save/",
        form={"yaml": ROUTE.format(name="readable", timeout="7s")},
        headers={"X-CSRFToken": token, "Referer": console.url},
    )
    assert "VirtualService default/readable" in answer.text()
    assert "HX-Redirect" not in answer.headers
    assert (
        console.api.get("/apis/networking.istio.io/v1/namespaces/default/virtualservices/readable").json()["spec"]["http"][0]["timeout"]
        == "2s"
    )
