"""The graph of Bookinfo: its workloads, its calls with live figures, and that it stays where one left it."""

import re

import pytest
from playwright.sync_api import expect

from .pages import graph

SIX = {"productpage-v1", "details-v1", "reviews-v1", "reviews-v2", "reviews-v3", "ratings-v1"}


@pytest.fixture
def busy(console):
    """The last minute of traffic, just now."""
    console.bookinfo("--seconds", "60")
    return console


def test_bookinfo_is_drawn_with_its_six_workloads_and_live_rates(page, busy):
    page.goto("/topology/?kind=workload")
    drawn = graph(page)
    assert {n["name"] for n in drawn["nodes"]} >= SIX
    rates = {(e["source"].split("/")[1], e["target"].split("/")[1]): e["rate"] for e in drawn["edges"]}
    assert len(rates) == 7
    assert rates["productpage-v1", "details-v1"] > 0
    before = rates["reviews-v2", "ratings-v1"]
    busy.bookinfo("--seconds", "30")
    page.wait_for_function(
        """before => [...document.querySelector("[data-component=topology]").graph.model.edges.values()]
             .find(e => e.source.endsWith("reviews-v2")).rate > before""",
        arg=before,
        timeout=15_000,
    )
    expect(page.locator("[data-connection]")).to_have_text("Live")


def test_nodes_stay_where_they_are_while_figures_move(page, busy):
    page.goto("/topology/")
    places = graph(page)["places"]
    busy.bookinfo("--seconds", "20", "--errors")
    page.wait_for_function(
        """() => [...document.querySelector("[data-component=topology]").graph.model.edges.values()].some(e => e.errorShare > 0)""",
        timeout=15_000,
    )
    assert graph(page)["places"] == places


def test_an_edge_says_its_figures_codes_and_identities(page, busy):
    page.goto("/topology/?kind=workload")
    edge = next(e for e in graph(page)["edges"] if e["target"].endswith("details-v1"))
    page.locator(f"[data-panel] [data-select='{edge['id']}']").first.click()
    link = page.locator("[data-panel]").get_by_role("link", name="Why?")
    expect(link).to_have_attribute("href", re.compile(r"^/why/\?from=default%2F.+&to=details"))
    panel = page.locator("[data-panel]")
    for said in ("productpage-v1", "details-v1", "p95", "200", "spiffe://cluster.local/ns/default/sa/bookinfo-details", "all of it"):
        expect(panel).to_contain_text(said)
    expect(page).to_have_url(re.compile("select="))
    page.reload()
    graph(page)
    expect(panel).to_contain_text("bookinfo-details")


def test_the_graph_is_walked_by_keyboard(page, busy):
    page.goto("/topology/?kind=workload")
    graph(page)
    page.locator("[data-graph]").focus()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    expect(page.locator("[data-panel] h2")).to_have_text("productpage-v1")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.closest('[data-panel]') !== null")


def test_the_table_says_the_same_as_the_graph(page, busy):
    page.goto("/topology/?kind=workload&view=table")
    row = page.locator("[data-table] tr", has_text="ratings-v1").first
    expect(row).to_contain_text("/s")
    expect(page.locator("[data-table] tbody tr")).to_have_count(7)


RULE = """\
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: found
  namespace: default
spec:
  host: ratings
  trafficPolicy:
    connectionPool:
      http:
        http2MaxRequests: 1000
"""


def test_find_marks_and_hide_takes_away(page, busy):
    page.goto("/topology/?kind=workload")
    graph(page)
    page.get_by_label("Find nodes and edges").fill("reviews")
    expect(page.locator("[data-found]")).to_have_text("3 found")
    page.get_by_label("Hide nodes and edges").fill("app = reviews")
    page.wait_for_function("() => document.querySelector('[data-component=topology]').graph.cy.nodes(':visible').not('.box').length === 4")
    expect(page).to_have_url(re.compile("hide="))
    page.get_by_label("Hide nodes and edges").fill("")
    busy.apply(RULE)
    page.goto("/policies/destinationrules/default/found/")
    page.get_by_role("link", name="Topology", exact=True).last.click()
    graph(page)
    expect(page.get_by_label("Find nodes and edges")).to_have_value("policy = DestinationRule/default/found")
    page.wait_for_function(
        """() => { const {cy, model} = document.querySelector('[data-component=topology]').graph;
                  const marked = cy.nodes('.found').map(n => model.nodes.get(n.id()).app); return marked.length > 0 && marked.every(a => a === 'ratings'); }"""
    )


def test_the_graph_is_saved_as_svg_and_png(page, busy):
    page.goto("/topology/?kind=workload")
    graph(page)
    for name, first in (("SVG drawing", b"<svg"), ("PNG image", b"\x89PNG")):
        page.locator("summary", has_text="Export").click()
        with page.expect_download() as waiting:
            page.get_by_role("button", name=name).click()
        content = waiting.value.path().read_bytes()
        assert content.startswith(first)
        if name == "SVG drawing":
            assert all(n.encode() in content for n in SIX)
