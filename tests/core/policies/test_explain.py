"""The pages of docs/kinds say what the schemas say, and their examples are taken as they stand."""

import re
from pathlib import Path

import pytest

from meshconsole.core.policies import KINDS, explain, parse

PAGES = Path(__file__).resolve().parents[3] / "docs" / "kinds"
MARKED = [kind for kind in KINDS.values() if (p := PAGES / f"{kind.__name__.lower()}.md").exists() and explain.BEGIN in p.read_text()]
CUT_SHORT = "-----BEGIN"  # a page shows where a key stands, and no key
EXAMPLES = [
    (page.name, text)
    for page in sorted(PAGES.glob("*.md"))
    for text in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)
    if CUT_SHORT not in text
]


@pytest.mark.parametrize("kind", MARKED, ids=lambda kind: kind.__name__)
def test_a_pages_table_is_what_explain_renders(kind):
    page = (PAGES / f"{kind.__name__.lower()}.md").read_text()
    assert page == explain.refreshed(page, kind), "run: python -m meshconsole.core.policies.explain docs/kinds"


@pytest.mark.parametrize(("page", "text"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_each_example_of_a_page_is_taken(page, text):
    policies, messages = parse(text)
    assert policies and not messages


@pytest.mark.parametrize("kind", MARKED, ids=lambda kind: kind.__name__)
def test_every_field_of_such_a_kind_is_documented(kind):
    assert [entry.path for entry in explain.tree(kind) if not entry.text] == []


def test_a_field_is_found_as_kubectl_writes_it():
    text = explain.explain("vs.spec.http.retries")
    assert "FIELD:    spec.http.retries" in text and "attempts" in text and "perTryTimeout" in text


def test_what_is_refused_by_name_is_explained_too():
    assert "Istio does not act on it either; use sourceLabels" in explain.explain("VirtualService.spec.tcp.match")


def test_an_unknown_field_says_which_there_are():
    with pytest.raises(explain.Unknown, match="attempts, perTryTimeout"):
        explain.explain("virtualservices.http.retries.count")


def test_an_unknown_kind_says_which_there_are():
    with pytest.raises(explain.Unknown, match="PeerAuthentication"):
        explain.explain("Peer")
