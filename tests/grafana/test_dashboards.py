"""The dashboards by themselves: whole, readable by Prometheus' own grammar, exported and pushed."""

import json

import promql_parser
import pytest
import yaml
from typer.testing import CliRunner

from meshconsole.cli.app import app
from meshconsole.grafana import generate, links

from .queries import every, filled
from .standin import Grafana

UIDS = {f"meshconsole-{name}" for name in ("mesh", "service", "workload", "control-plane", "agents")}


def test_there_are_five_and_each_panel_asks_something():
    made = generate.dashboards()
    assert set(made) == UIDS
    for dashboard in made.values():
        panels = [p for p in dashboard["panels"] if p["type"] != "row"]
        assert panels and all(p["targets"] for p in panels)
        assert all(p["datasource"]["uid"] == "${datasource}" for p in panels)
        assert len({(p["gridPos"]["x"], p["gridPos"]["y"]) for p in dashboard["panels"]}) == len(dashboard["panels"])


@pytest.mark.parametrize("asked", every(), ids=lambda asked: f"{asked.dashboard}: {asked.panel}")
def test_every_query_is_promql(asked):
    promql_parser.parse(filled(asked.promql))


def test_exported_files_are_what_grafana_provisions(tmp_path):
    done = CliRunner().invoke(
        app, ["grafana", "export", str(tmp_path), "--prometheus", "http://prometheus:9090", "--console", "https://mesh.example.com"]
    )
    assert done.exit_code == 0, done.output
    [provider] = yaml.safe_load((tmp_path / "provisioning/dashboards/meshconsole.yaml").read_text())["providers"]
    assert provider["type"] == "file" and provider["options"]["path"] == str(tmp_path / "dashboards")
    [source] = yaml.safe_load((tmp_path / "provisioning/datasources/meshconsole.yaml").read_text())["datasources"]
    assert (source["type"], source["access"], source["url"]) == ("prometheus", "proxy", "http://prometheus:9090")
    files = {p.name: json.loads(p.read_text()) for p in (tmp_path / "dashboards").iterdir()}
    assert {d["uid"] for d in files.values()} == UIDS
    assert files["mesh.json"]["links"][-1]["url"] == "https://mesh.example.com"


@pytest.fixture
def grafana():
    standin = Grafana("glsa_secret")
    yield standin
    standin.stop()


def push(grafana, *more, token="glsa_secret"):
    return CliRunner().invoke(app, ["grafana", "push", "--url", grafana.url, *more], env={"GRAFANA_TOKEN": token, "GRAFANA_URL": ""})


def test_a_push_brings_all_and_a_second_one_brings_them_again(grafana):
    done = push(grafana, "--prometheus", "http://prometheus:9090")
    assert done.exit_code == 0, done.output
    assert "dashboard Mesh /d/meshconsole-mesh/mesh" in done.output
    assert push(grafana, "--prometheus", "http://elsewhere:9090").exit_code == 0
    assert set(grafana.dashboards) == UIDS and {d["version"] for d in grafana.dashboards.values()} == {2}
    assert [d["url"] for d in grafana.datasources.values()] == ["http://elsewhere:9090"]
    assert list(grafana.folders) == ["meshconsole"]


@pytest.mark.parametrize(
    ("url", "token", "words"),
    [
        ("", "wrong", "Grafana refuses the token (401: Invalid API key)"),
        ("http://127.0.0.1:1", "glsa_secret", "Grafana does not answer at"),
    ],
)
def test_what_goes_wrong_is_said_and_the_token_is_not(grafana, url, token, words):
    done = push(grafana, *(["--url", url] if url else []), token=token)
    assert done.exit_code == 1 and words in done.output and "glsa_secret" not in done.output


def test_links_open_a_dashboard_with_who_and_when_filled_in():
    base = "https://grafana.example.com/grafana/"
    assert links.mesh(base) == "https://grafana.example.com/grafana/d/meshconsole-mesh"
    assert links.service(base, "reviews.default.svc.cluster.local", links.Period(1000, 2000.5)) == (
        "https://grafana.example.com/grafana/d/meshconsole-service?var-service=reviews.default.svc.cluster.local&from=1000000&to=2000500"
    )
    assert links.workload(base, "default", "a&b", None) == (
        "https://grafana.example.com/grafana/d/meshconsole-workload?var-namespace=default&var-workload=a%26b"
    )
    assert links.workload("", "default", "a") == ""
    assert set(links.UIDS) == UIDS
