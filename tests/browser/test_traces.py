"""The traces' pages: found, opened, understood."""

import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from telemetry.spans import ERROR, ExportTraceServiceRequest

AXE = Path(__file__).resolve().parents[2] / "node_modules/axe-core/axe.min.js"
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture(scope="module")
def traced(console):
    """One trace of two services, the second of which fails by an injected fault."""
    made = ExportTraceServiceRequest()
    now = time.time_ns()
    for service, id_, parent, start, end in (("shop", 1, 0, 0, 80), ("stock", 2, 1, 20, 70)):
        resource = made.resource_spans.add()
        for key, value in (("service.name", service), ("service.namespace", "default")):
            resource.resource.attributes.add(key=key).value.string_value = value
        span = resource.scope_spans.add().spans.add(
            trace_id=bytes.fromhex(TRACE), span_id=id_.to_bytes(8, "big"), name=f"GET /{service}", kind=2,
            start_time_unix_nano=now + start * 10**6, end_time_unix_nano=now + end * 10**6,
        )  # fmt: skip
        if parent:
            span.parent_span_id = parent.to_bytes(8, "big")
            span.status.code = ERROR
            for key, value in (
                ("http.status_code", "503"),
                ("response_flags", "FI"),
                ("meshconsole.policy", "VirtualService default/stock"),
            ):
                span.attributes.add(key=key).value.string_value = value
    answer = console.api.post("/v1/traces", content=made.SerializeToString(), headers={"content-type": "application/x-protobuf"})
    assert answer.is_success, answer.text
    return console


def test_two_traces_of_one_request_are_compared(open_page, console):
    now = time.time_ns()
    for n, ms in ((5, 20), (6, 90)):
        made = ExportTraceServiceRequest()
        for service, id_, parent, start, end in (("cart", 1, 0, 0, ms + 10), ("bank", 2, 1, 5, ms)):
            resource = made.resource_spans.add()
            for key, value in (("service.name", service), ("service.namespace", "default")):
                resource.resource.attributes.add(key=key).value.string_value = value
            span = resource.scope_spans.add().spans.add(
                trace_id=n.to_bytes(16, "big"), span_id=id_.to_bytes(8, "big"), name=f"GET /{service}", kind=2,
                start_time_unix_nano=now + start * 10**6, end_time_unix_nano=now + end * 10**6,
            )  # fmt: skip
            if parent:
                span.parent_span_id = parent.to_bytes(8, "big")
        assert console.api.post(
            "/v1/traces", content=made.SerializeToString(), headers={"content-type": "application/x-protobuf"}
        ).is_success
    page = open_page(console)
    page.goto(f"/traces/{6:032x}/")
    page.locator("summary", has_text="Compare").click()
    page.locator(".pop a.item").first.click()
    expect(page.locator("h1")).to_have_text("Two traces of GET /cart")
    expect(page.locator("tbody tr", has_text="GET /bank")).to_contain_text("slower")
    faults = _faults(page)
    page.goto("/traces/")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_trace_is_found_by_its_errors_and_its_waterfall_says_what_went_wrong(open_page, traced, theme):
    page = open_page(traced, color_scheme=theme)
    page.goto("/traces/")
    expect(page).to_have_title("Traces · Meshconsole")
    page.get_by_label("Only with errors").check()
    page.get_by_role("button", name="Search", exact=True).click()
    page.wait_for_url("**errors=1**")
    faults = _faults(page)
    expect(page.locator("svg.scatter circle.bad")).to_have_count(1)
    page.get_by_role("link", name="GET /shop", exact=True).click()
    expect(page.locator("h1")).to_have_text("GET /shop")
    expect(page.locator(".w-row")).to_have_count(2)
    page.locator(".w-row summary", has_text="stock").click()
    expect(page.locator(".w-more:visible .note")).to_contain_text("injected fault")
    expect(page.locator(".w-more:visible a.badge")).to_have_attribute("href", "/policies/virtualservices/default/stock/")
    faults += _faults(page)
    assert not faults, "\n".join(faults)


def test_a_pasted_id_opens_its_trace(open_page, traced):
    page = open_page(traced)
    page.goto("/traces/")
    page.get_by_label("Open a trace id").fill(TRACE.upper())
    page.get_by_label("Open a trace id").press("Enter")
    page.wait_for_url(f"**/traces/{TRACE}/**")


def _faults(page) -> list[str]:
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa']})")
    return [f"{page.url}: {v['id']}: {n['target']} {n['failureSummary']}" for v in found["violations"] for n in v["nodes"][:3]]
