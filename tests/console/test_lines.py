"""Where something was decided, as links."""

from django.template import Context, Template
from django.test import RequestFactory


def shown(text: str) -> str:
    page = Template("{% load mesh %}{% line_link text %}")
    return page.render(Context({"text": text, "request": RequestFactory().get("/why/")}))


def test_a_line_leads_to_its_policy_and_several_to_theirs():
    said = shown("VirtualService default/reviews spec.http[0], EnvoyFilter istio-system/limits spec.configPatches[1]")
    assert said.count("<a ") == 2 and "/policies/virtualservices/default/reviews/" in said and "spec.configPatches[1]" in said
    assert shown("<b>") == '<span class="mono">&lt;b&gt;</span>'
