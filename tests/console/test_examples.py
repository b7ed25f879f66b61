"""What we offer as a beginning must be taken as it stands."""

import pytest

from meshconsole.console import examples, kinds
from meshconsole.core import policies


@pytest.mark.parametrize("example", examples.all_(), ids=lambda e: e.slug)
def test_an_example_is_valid_and_summed_up(example):
    (policy,), messages = policies.parse(example.text)
    assert (type(policy).__name__, messages) == (example.kind, [])
    assert kinds.summary(example.kind, policies.dump(policy)["spec"])
    assert example.title and example.about


@pytest.mark.parametrize("kind", [kind for _, kind in policies.KINDS])
def test_every_kind_can_be_begun_in_the_browser(kind, alice):
    assert f">{kind}<" in alice.get("/policies/new/").content.decode()
    said = alice.get(f"/policies/new/?kind={kind}").content.decode()
    assert f"kind: {kind}" in said


def test_an_example_is_offered_in_the_namespace_that_one_looks_at():
    text = examples.by_slug("canary").in_namespace("shop")
    (policy,), _ = policies.parse(text)
    assert policy.metadata.namespace == "shop"
