"""Markup in every text that somebody can write, users and machines alike; every page looked at by a real Chromium. Nothing of it becomes markup."""

import json
import re
from pathlib import Path

import pytest

from tests.browser.console import Console
from tests.configstore.manifests import route

from .test_every_door import TABLE

pytestmark = pytest.mark.browser
MARK = "'\"><img src=x onerror=window.pwned=1><script>window.pwned=1</script>{{7*7}}"
PASSWORD = "correct horse battery staple"
TRACE = "0af7651916cd43dd8448eb211c80319c"
MORE = [
    "/services/default/reviews/", "/services/default/reviews/?tab=traffic", "/workloads/default/reviews-v1/", "/workloads/default/reviews-v1/?tab=inbound",
    "/policies/virtualservices/default/reviews/?tab=history", "/policies/virtualservices/default/reviews/?tab=yaml", f"/traces/{TRACE}/", "/logs/1/", "/people/2/",
    f"/traces/?tags={MARK}", f"/audit/?who={MARK}", f"/audit/?object={MARK}", f"/?namespace={MARK}", f"/logs/?path={MARK}", f"/policies/?kind={MARK}",
    f"/{MARK}", f"/login/?next={MARK}", f"/traces/{MARK}/",
]  # fmt: skip


def _manifest(kind: str, name: str, spec: dict) -> str:
    meta = {"name": name, "namespace": "default", "annotations": {"note": MARK, "example.com/owner": MARK}}
    return json.dumps({"apiVersion": "meshconsole.io/v1", "kind": kind, "metadata": meta, "spec": spec})


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory):
    made = Console(tmp_path_factory.mktemp("poisoned")).start()
    try:
        api = made.api
        assert api.post(
            "/api/v1/people", json={"username": "mallory", "name": MARK, "password": PASSWORD, "roles": {"default": "editor"}}
        ).is_success
        assert api.post("/api/v1/tokens", json={"name": MARK[:100]}).is_success
        assert api.post("/api/v1/silences", json={"matchers": {"rule": MARK}, "comment": MARK, "namespace": "default"}).status_code < 500
        made.apply(route("reviews", labels="team: red").replace("labels:", f"annotations: {json.dumps({'note': MARK})}, labels:"), MARK)
        made.apply(route("reviews", timeout="2s"), MARK)
        made.apply(
            _manifest(
                "AlertRule",
                "errors",
                {
                    "condition": {"errorRate": {"abovePercent": 0.1, "window": "5m"}},
                    "severity": "critical",
                    "description": MARK,
                    "labels": {"team": MARK},
                },
            ),
            MARK,
        )
        api.post("/login/", data={"username": MARK, "password": MARK}, headers={"user-agent": MARK})
        made.run("-m", "tests.attacks.hostile")
        yield made
    finally:
        made.stop()


def test_no_page_runs_or_shows_as_markup_what_others_wrote(poisoned, chromium):
    context = chromium.new_context(base_url=poisoned.url, user_agent=MARK)
    page = context.new_page()
    page.set_default_timeout(15_000)
    said: list[str] = []
    page.on(
        "console",
        lambda m: (
            said.append(f"{page.url}: {m.text}") if "Content Security Policy" in m.text or "Content-Security-Policy" in m.text else None
        ),
    )
    page.on("dialog", lambda d: (said.append(f"{page.url}: dialog {d.message}"), d.dismiss()))
    page.on("response", lambda r: said.append(f"{r.status} {r.url}") if r.status >= 500 else None)
    page.goto("/login/")
    page.get_by_label("User name").fill(poisoned.username)
    page.get_by_label("Password").fill(poisoned.password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/")
    shown = 0
    pages = [p for p in TABLE if "{" not in p and TABLE[p][0][-1] == 200 and not p.startswith(("/api/", "/audit/export", "/palette"))]
    for path in [*pages, *MORE]:
        page.goto(path, wait_until="load")
        page.wait_for_timeout(60)
        assert page.evaluate("window.pwned") is None, path
        assert page.locator("img[src='x'], [onerror]").count() == 0, path
        assert page.evaluate("document.querySelectorAll('script:not([src]):not([type=\"application/json\"])').length") == 0, path
        text = page.evaluate("document.body.innerText")
        assert "49" not in re.findall(r"<script>window.pwned=1</script>(\d+)", text), path
        shown += "<script>window.pwned" in text
    context.close()
    assert said == [], poisoned.log.read_text()[-30000:]
    assert shown >= 10, "the marks are on the pages, as text"


STATIC = re.compile(r"<script(?![^>]*\bsrc=)|\son[a-z]+\s*=\s*[\"']|javascript:|\sstyle\s*=|<style", re.IGNORECASE)
UNSAFE = re.compile(r"\|\s*safe\b|autoescape off|mark_safe\(")
ROOT = Path(__file__).resolve().parents[2]


def test_no_template_has_script_or_style_in_the_page_or_switches_escaping_off():
    found = []
    for path in sorted((ROOT / "templates").rglob("*.html")):
        if "notifications" in path.parts or path.name == "500.html":  # mails have styles; nobody's text is on that page
            continue
        text = path.read_text()
        found += [f"{path.relative_to(ROOT)}: {m.group()}" for rule in (STATIC, UNSAFE) for m in rule.finditer(text)]
    assert found == []
