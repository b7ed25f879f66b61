"""Where a Grafana is configured, every page leads to the dashboard of what it shows, with who and when filled in."""

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from .console import Console
from .pages import graph

BASE = "https://grafana.example.com/grafana"


@pytest.fixture(scope="module")
def observed(tmp_path_factory):
    made = Console(tmp_path_factory.mktemp("observed"), GRAFANA_URL=BASE + "/").start()
    try:
        made.bookinfo("--seconds", "120")
        yield made
    finally:
        made.stop()


def led(page: Page, link) -> tuple[str, dict[str, str], float]:
    """Dashboard, variables, and for how many seconds."""
    expect(link).to_be_visible()
    address = urlsplit(link.get_attribute("href"))
    assert address.geturl().startswith(f"{BASE}/d/") and link.get_attribute("rel") == "noopener"
    asked = {name: values[0] for name, values in parse_qs(address.query).items()}
    span = (int(asked.pop("to")) - int(asked.pop("from"))) / 1000
    return address.path.rsplit("/", 1)[1], asked, span


def test_every_page_leads_to_its_dashboard(open_page, observed):
    page = open_page(observed)
    host = "reviews.default.svc.cluster.local"
    for path, wanted in {
        "/?range=1h": ("meshconsole-mesh", {}, 3600),
        "/services/?namespace=default": ("meshconsole-mesh", {"var-namespace": "default"}, 900),
        "/services/default/reviews/?range=5m": ("meshconsole-service", {"var-service": host}, 300),
        "/workloads/default/reviews-v2/": ("meshconsole-workload", {"var-namespace": "default", "var-workload": "reviews-v2"}, 900),
        "/proxies/": ("meshconsole-agents", {}, 900),
        "/proxies/default/reviews-v2/": ("meshconsole-workload", {"var-namespace": "default", "var-workload": "reviews-v2"}, 900),
        "/changes/": ("meshconsole-control-plane", {}, 900),
    }.items():
        page.goto(path)
        dashboard, variables, span = led(page, page.locator("#dashboard"))
        assert (dashboard, variables, span) == (wanted[0], wanted[1], pytest.approx(wanted[2], abs=1)), path


def test_nodes_and_edges_of_the_topology_lead_to_theirs(open_page, observed):
    page = open_page(observed)
    page.goto("/topology/?kind=workload&namespace=default&select=workload:default/reviews-v2")
    graph(page)
    link = page.locator(".topo-panel a", has_text="Grafana")
    assert led(page, link)[:2] == ("meshconsole-workload", {"var-namespace": "default", "var-workload": "reviews-v2"})
    page.locator(".topo-panel section", has_text="Called by").locator("[data-select]").first.click()
    expect(page.locator(".topo-panel")).to_contain_text("http edge")
    assert led(page, link)[:2] == ("meshconsole-service", {"var-service": "reviews.default.svc.cluster.local"})


def test_on_a_phone_nothing_is_pushed_over_the_edge(open_page, observed):
    page = open_page(observed)
    page.set_viewport_size({"width": 375, "height": 800})
    page.goto("/services/default/reviews/")
    expect(page.locator("#dashboard")).to_be_visible()
    wide = page.evaluate(
        "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName + '.' + e.className + '#' + e.id).slice(0, 12)"
    )
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), wide


def test_without_a_grafana_there_is_no_such_link(open_page, console):
    page = open_page(console)
    page.goto("/services/default/reviews/")
    assert page.locator("#dashboard").count() == 0 and page.get_by_text("Grafana").count() == 0
