"""The newcomer's browser, on the whole mesh: a policy edited, seen as a difference, saved, and taken by the real proxies; the graph of real calls."""

import pytest
from playwright.sync_api import expect

from tests.browser.pages import graph, preview, programmed, write

from .live import eventually
from .test_bookinfo import WORKLOADS, demo, served

__all__ = ["demo"]
pytestmark = pytest.mark.browser

TO_V2 = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
spec:
  hosts:
  - reviews
  http:
  - route:
    - destination:
        host: reviews
        subset: v2
"""


@pytest.fixture
def page(demo, chromium):
    context = chromium.new_context(base_url=demo.facts["url"], viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto("/login/")
    page.get_by_label("User name").fill(demo.facts["username"])
    page.get_by_label("Password").fill(demo.facts["password"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")
    yield page
    context.close()


def test_an_edited_policy_is_previewed_saved_and_taken_by_the_proxies(demo, page):
    page.goto("/policies/new/?from=blank")
    write(page, TO_V2)
    dialog = preview(page)
    expect(dialog.locator("tr.add", has_text="subset: v2")).to_be_visible()
    dialog.get_by_label("Why").fill("Everybody gets black stars")
    dialog.get_by_role("button", name="Save").click()
    page.wait_for_url("**?saved=*")
    expect(programmed(page)).to_have_attribute("data-state", "programmed", timeout=15_000)
    assert served(demo.page()) == "reviews-v2"

    write(page, TO_V2.replace("v2", "v3"))
    dialog = preview(page)
    expect(dialog.locator("tr.del", has_text="subset: v2")).to_be_visible()
    expect(dialog.locator("tr.add", has_text="subset: v3")).to_be_visible()
    first = page.url
    dialog.get_by_role("button", name="Save").click()
    page.wait_for_url(lambda url: "?saved=" in url and url != first)
    eventually(lambda: served(demo.page()) == "reviews-v3", 10)

    page.goto("/proxies/")
    for name in (*WORKLOADS, "ingressgateway"):
        expect(page.locator("tbody tr", has_text=name)).to_contain_text("Synced")
    assert demo.cli("delete", "virtualservice", "reviews").returncode == 0


def test_the_topology_draws_bookinfo_with_live_rates(demo, page):
    page.goto("/topology/?kind=workload")

    def drawn():
        seen = graph(page)
        rates = [e["rate"] for e in seen["edges"]]
        return {n["name"] for n in seen["nodes"]} >= WORKLOADS and len(rates) >= 7 and min(rates) > 0 and seen

    eventually(drawn, 60, 1)
    expect(page.locator("[data-connection]")).to_have_text("Live")
