"""Links into the tools that people already have: the same trace, service and time."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from meshconsole.console import elsewhere
from tests.accounts import people


@pytest.fixture(autouse=True)
def tools(settings):
    settings.JAEGER_URL, settings.ZIPKIN_URL = "https://jaeger.example.com/", "https://zipkin.example.com"
    settings.GRAFANA_URL, settings.TEMPO_DATASOURCE = "https://grafana.example.com", "tempo"


def test_a_trace_is_opened_by_its_id():
    found = dict(elsewhere.trace("0af7", 1000.0, 1001.0))
    assert found["Jaeger"] == "https://jaeger.example.com/trace/0af7"
    assert found["Zipkin"] == "https://zipkin.example.com/zipkin/traces/0af7"
    [pane] = json.loads(parse_qs(urlsplit(found["Tempo"]).query)["panes"][0]).values()
    assert pane["queries"][0]["query"] == "0af7" and pane["range"] == {"from": "940000", "to": "1061000"}


def test_a_service_is_searched_in_the_same_time():
    found = {name: parse_qs(urlsplit(address).query) for name, address in elsewhere.service("reviews", 1000.0, 2000.0)}
    assert found["Jaeger"] | {} == {
        "service": ["reviews"],
        "start": ["1000000000"],
        "end": ["2000000000"],
        "lookback": ["custom"],
        "limit": ["20"],
    }
    assert found["Zipkin"] == {"serviceName": ["reviews"], "lookback": ["range"], "startTs": ["1000000"], "endTs": ["2000000"]}
    [pane] = json.loads(found["Tempo"]["panes"][0]).values()
    assert pane["queries"][0]["query"] == '{resource.service.name="reviews"}'


def test_without_tools_there_are_no_links(settings):
    settings.JAEGER_URL = settings.ZIPKIN_URL = settings.GRAFANA_URL = ""
    assert elsewhere.trace("0af7", 0, 1) == elsewhere.service("reviews", 0, 1) == []


@pytest.mark.django_db
def test_the_search_page_leads_there(client, settings):
    settings.JAEGER_URL = settings.ZIPKIN_URL = ""
    client.force_login(people.alice())
    assert "grafana.example.com/explore" in client.get("/traces/?service=reviews").content.decode()
