"""What a trace's page makes of a span."""

from types import SimpleNamespace
from urllib.parse import parse_qs

import pytest

from meshconsole.console.waterfall import Row
from telemetry.spans import Origin


def question(*, kind="client", proxy=True, **attributes):
    span = SimpleNamespace(kind=kind, origin=Origin("productpage", "shop", "productpage-v1", "v1", proxy=proxy), attributes=attributes)
    row = Row(SimpleNamespace(span=span), None, 1, 0, "0", "1", (), 0, 0, 0, ())
    return parse_qs(row.question)


def test_a_call_can_be_asked_about_as_it_was_made():
    asked = question(**{"http.url": "http://reviews:9080/reviews/0?z=1", "http.method": "POST"})
    assert asked == {"from": ["shop/productpage-v1"], "to": ["reviews:9080"], "path": ["/reviews/0"], "method": ["POST"]}


@pytest.mark.parametrize(
    "said", [{"kind": "server"}, {"proxy": False}, {"http.url": ""}], ids=["told by the server", "told by the application", "no address"]
)
def test_what_is_no_call_of_a_proxy_asks_nothing(said):
    assert question(**{"http.url": "http://reviews:9080/", **said}) == {}
