"""The topology of the past: the slider, and two moments beside each other."""

import re

import pytest
from playwright.sync_api import expect

from .console import Console
from .pages import graph

FAILING = (
    """() => [...document.querySelector("[data-component=topology]").graph.model.edges.values()].filter(e => e.errorShare > 0).length"""
)


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """A mesh that was well half an hour ago and is broken now."""
    made = Console(tmp_path_factory.mktemp("replay")).start()
    try:
        made.bookinfo("--seconds", "300", "--ago", "1800")
        made.bookinfo("--seconds", "300", "--errors")
        yield made
    finally:
        made.stop()


def test_the_slider_goes_back_to_when_all_was_well_and_to_now(open_page, broken):
    page = open_page(broken)
    page.goto("/topology/?kind=workload&window=300")
    graph(page)
    assert page.evaluate(FAILING) > 0
    page.get_by_role("button", name="Replay").click()
    slider = page.get_by_role("slider", name="Moment")
    expect(slider).to_be_visible()
    expect(page.locator("[data-time=strip] rect.bad").first).to_be_attached()
    slider.fill("60")  # of 120 steps in the last hour
    page.wait_for_function(f"() => ({FAILING})() === 0", timeout=10_000)
    expect(page.locator("[data-connection]")).to_contain_text("As of")
    page.wait_for_timeout(500)

    expect(page).to_have_url(re.compile(r"at=20\d\d-"))
    page.reload()  # a moment can be sent to a colleague
    page.wait_for_function(f"() => ({FAILING})() === 0", timeout=10_000)
    page.get_by_role("button", name="Now", exact=True).click()
    page.wait_for_function(f"() => ({FAILING})() > 0", timeout=10_000)
    expect(page.locator("[data-connection]")).to_have_text("Live")


def test_play_walks_through_the_past(open_page, broken):
    page = open_page(broken)
    page.goto("/topology/?kind=workload&window=300")
    graph(page)
    page.get_by_role("button", name="Replay").click()
    slider = page.get_by_role("slider", name="Moment")
    slider.fill("60")
    expect(page.locator("[data-connection]")).to_contain_text("As of")
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function("() => Number(document.querySelector('[data-time=slider]').value) >= 62", timeout=10_000)


def test_two_moments_are_compared_and_what_failed_is_named_first(open_page, broken):
    page = open_page(broken)
    page.goto("/topology/?kind=workload&window=300")
    graph(page)
    page.get_by_label("Compare with another moment").select_option("10m")
    panel = page.locator("[data-panel]")
    expect(panel).to_contain_text("calls changed")  # nobody called anybody ten minutes ago
    expect(panel.locator(".edge-row").first).to_contain_text("new")
    page.wait_for_timeout(600)

    at = page.evaluate("() => new Date(Date.now() - 20000).toISOString()")
    found = broken.api.get("/api/v1/topology/comparison", params={"window": "300s", "kind": "workload", "ago": "30m", "at": at}).json()
    assert [(e["what"][0], e["target"].rpartition("/")[2]) for e in found["edges"]][:1] == [("failing", "ratings-v1")]


def test_what_is_gone_is_drawn_as_a_ghost(open_page, broken):
    page = open_page(broken)
    at = page.evaluate("() => new Date(Date.now() - 1200000).toISOString()")  # between the two: nobody calls
    page.goto(f"/topology/?kind=workload&window=300&at={at}&compare=10m")
    graph(page)
    expect(page.locator("[data-panel]")).to_contain_text("calls changed")

    page.wait_for_function(
        """() => [...document.querySelector("[data-component=topology]").graph.model.edges.values()].some(e => e.ghost)""", timeout=10_000
    )
