"""The daily commands, against a console."""

import json

import pytest
import yaml

from meshconsole.configstore import store

from ..configstore.manifests import key, route

pytestmark = pytest.mark.django_db(transaction=True)


def test_apply_says_what_became_of_each(mesh, file):
    path = file("a.yaml", route("a") + "---\n" + route("b"))
    said = mesh("apply", "-f", path, "-m", "hello")
    assert (said.status, said.err) == (0, "")
    assert said.out.splitlines() == [
        "virtualservice.networking.istio.io/a (default) created",
        "virtualservice.networking.istio.io/b (default) created",
        "revision 1",
    ]
    assert store.revision(1).message == "hello"
    assert store.revision(1).door == "cli"
    file("a.yaml", route("a") + "---\n" + route("b", timeout="1s"))
    assert mesh("apply", "-f", path).out.splitlines() == [
        "virtualservice.networking.istio.io/b (default) configured",
        "revision 2",
        "virtualservice.networking.istio.io/a (default) unchanged",
    ]


def test_apply_reads_standard_input(mesh):
    assert mesh("apply", "-f", "-", stdin=route()).status == 0
    assert store.get(key()) is not None


def test_apply_can_wait_for_the_proxies(mesh, file):
    said = mesh("apply", "--wait", "--timeout", "5", "-f", file("a.yaml", route()))
    assert said.status == 0
    assert "programmed after" in said.out


def test_a_dry_run_stores_nothing(mesh, file):
    said = mesh("apply", "--dry-run", "-f", file("a.yaml", route()))
    assert said.out == "virtualservice.networking.istio.io/reviews (default) created (dry run)\n"
    assert store.latest() == 0


def test_errors_name_the_file_and_the_line(mesh, file):
    good, bad = file("a.yaml", route("a")), file("b.yaml", route("b").replace("hosts:", "hoosts:"))
    said = mesh("apply", "-f", good, "-f", bad)
    assert said.status == 1
    line = next(i for i, text in enumerate(route("b").replace("hosts:", "hoosts:").splitlines(), 1) if "hoosts" in text)
    assert f"{bad}:{line}: Error [" in said.err
    assert "(VirtualService default/b)" in said.err
    assert store.latest() == 0


def test_diff_shows_the_difference_and_stores_nothing(mesh, file):
    path = file("a.yaml", route())
    mesh("apply", "-f", path)
    file("a.yaml", route(timeout="1s"))
    said = mesh("diff", "-f", path)
    assert said.status == 0
    assert "+    timeout: 1s" in said.out
    assert mesh("diff", "--exit-code", "-f", path).status == 1
    assert store.latest() == 1


def test_get_prints_tables_json_and_yaml(mesh, file):
    mesh("apply", "-f", file("a.yaml", route("a") + "---\n" + route("b", namespace="payments")))
    head, row = mesh("get", "vs").out.splitlines()
    assert head.split() == ["NAMESPACE", "NAME", "HOSTS", "PROGRAMMED", "REVISION", "AGE"]
    assert row.split()[:5] == ["default", "a", "a.example.com", "True", "1"]
    assert len(mesh("get", "VirtualService", "-A").out.splitlines()) == 3
    assert mesh("get", "all", "-A").out.splitlines()[1].split()[0] == "VirtualService"
    assert json.loads(mesh("get", "vs", "a", "-o", "json").out)["metadata"]["name"] == "a"
    assert len(yaml.safe_load(mesh("get", "vs", "-A", "-o", "yaml").out)["items"]) == 2


def test_get_prints_wide_tables_and_names_that_other_commands_take(mesh, file):
    mesh("apply", "-f", file("a.yaml", route("a")))
    head, row = mesh("get", "vs", "-o", "wide").out.splitlines()
    assert head.split()[-2:] == ["LABELS", "MESSAGE"] and row.split()[6] == "-"
    assert mesh("get", "vs", "-o", "name").out == "virtualservice.networking.istio.io/a\n"


def test_rollback_of_one_resource_undoes_its_last_change(mesh, file):
    mesh("apply", "-f", file("a.yaml", route()))
    assert mesh("rollback", "vs", "reviews").status == 1
    mesh("apply", "-f", file("a.yaml", route("other")))
    mesh("apply", "-f", file("a.yaml", route(timeout="1s")))
    assert mesh("rollback", "vs", "reviews").status == 0
    assert "timeout" not in mesh("get", "vs", "reviews", "-o", "yaml").out
    assert mesh("rollback", "vs", "other").status == 0
    assert mesh("get", "vs", "other").status == 1
    assert mesh("rollback", "vs", "nobody").status == 1


def test_proxy_config_takes_its_words_in_istioctls_order_too(mesh):
    for words in (("routes", "nobody"), ("nobody", "routes")):
        said = mesh("proxy-config", *words)
        assert said.status == 1 and "default/nobody" in said.err


def test_a_kind_that_was_misspelt_is_answered_with_the_one_meant(mesh):
    said = mesh("get", "virtualservise")
    assert said.status == 1 and "did you mean 'virtualservice'?" in said.err


def test_what_get_prints_can_be_applied_again(mesh, file):
    mesh("apply", "-f", file("a.yaml", route()))
    said = mesh("apply", "-f", "-", stdin=mesh("get", "vs", "reviews", "-o", "yaml").out)
    assert (said.status, said.out) == (0, "virtualservice.networking.istio.io/reviews (default) unchanged\n")
    said = mesh("apply", "-f", "-", stdin=mesh("get", "vs", "-o", "yaml").out)
    assert said.status == 0, said.err


def test_get_of_nothing_is_said(mesh):
    assert mesh("get", "vs").status == 0
    assert mesh("get", "vs", "nobody").status == 1
    assert mesh("get", "nonsense").status == 1


def test_delete_takes_names_and_files_all_or_none(mesh, file):
    both = file("a.yaml", route("a") + "---\n" + route("b"))
    mesh("apply", "-f", both)
    said = mesh("delete", "virtualservice", "a", "nobody")
    assert said.status == 1
    assert "default/nobody" in said.err
    assert len(store.list_()) == 2
    assert mesh("delete", "virtualservice", "a", "b").out.splitlines()[:2] == [
        "virtualservice.networking.istio.io/a (default) deleted",
        "virtualservice.networking.istio.io/b (default) deleted",
    ]
    mesh("apply", "-f", both)
    assert mesh("delete", "-f", both).status == 0
    assert store.list_() == []
    assert mesh("delete", "vs").status == 2


def test_history_and_the_three_ways_back(mesh, file):
    path = file("a.yaml", route())
    mesh("apply", "-f", path, "-m", "first")
    file("a.yaml", route(timeout="1s"))
    mesh("apply", "-f", path, "-m", "second")
    assert [line.split()[0] for line in mesh("history").out.splitlines()] == ["REVISION", "2", "1"]
    assert [line.split()[-1] for line in mesh("history", "vs", "reviews").out.splitlines()] == ["MESSAGE", "second", "first"]
    assert "+    timeout: 1s" in mesh("history", "vs", "reviews", "--diff").out
    assert "-    timeout: 1s" in mesh("rollback", "vs", "reviews", "--to", "1", "--dry-run").out
    assert store.latest() == 2
    assert mesh("rollback", "vs", "reviews", "--to", "1").out.splitlines()[-1] == "revision 3"
    assert mesh("rollback", "--revision", "3").out.splitlines()[-1] == "revision 4"
    assert mesh("rollback", "--to", "3").out.splitlines()[-1] == "revision 5"
    assert mesh("rollback", "--to", "3").out == "Nothing to change: it is as it was.\n"
    assert mesh("rollback").status == 2
    assert mesh("rollback", "--revision", "99").status == 1


def test_analyze_works_on_files_alone(file):
    from .conftest import run

    assert run("analyze", "-f", file("good.yaml", route())).status == 0
    bad = file("bad.yaml", route().replace("hosts:", "hoosts:"))
    said = run("analyze", "-f", bad)
    assert said.status == 1
    assert f"{bad}:" in said.out
    assert json.loads(run("analyze", "-f", bad, "-o", "json").out)[0]["level"] == "error"


def test_analyze_goes_past_what_is_refused(file):
    """As istioctl does: a file with a Deployment in it, or with one mistake, has its other mistakes told, too."""
    from .conftest import run

    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"
    gateway = "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: edge}\nspec: {selector: {a: b}, servers: [{port: {number: 0, name: x, protocol: HTTP}, hosts: ['*']}]}\n"
    bound = route().replace("spec:", "spec:\n  gateways: [%s]", 1)
    said = run(
        "analyze", "-f", file("all.yaml", "---\n".join((pod, gateway, bound % "gone", (bound % "edge").replace("name: a", "name: b", 1))))
    )
    assert said.status == 1 and "Kubernetes" in said.out and "port must be" in said.out
    assert said.out.count("IST0101") == 1 and '"gone"' in said.out


def test_analyze_can_look_at_what_is_stored(mesh, file):
    mesh("apply", "-f", file("a.yaml", route()))
    assert mesh("analyze", "--live").status in (0, 1)
    assert mesh("analyze", "--live", "-f", file("b.yaml", route("b"))).status in (0, 1)


def test_a_token_is_needed(mesh, live_server):
    from .conftest import run

    said = run("get", "vs", "--server", live_server.url)
    assert said.status == 1
    assert "MESHCONSOLE_TOKEN" in said.err


def test_what_others_wrote_cannot_move_the_cursor(mesh, file):
    mesh("apply", "-f", file("a.yaml", route()), "-m", "\x1b[2Jgone")
    assert "\x1b" not in mesh("history").out


def test_waiting_ends_with_3_when_time_is_over(mesh, file, monkeypatch):
    pending(monkeypatch, "pending", [{"id": "default/slow", "state": "STALE"}])
    said = mesh("apply", "--wait", "--timeout", "0.2", "-f", file("a.yaml", route()))
    assert said.status == 3
    assert "default/slow" in said.err


def test_waiting_ends_with_1_when_a_proxy_refuses(mesh, file, monkeypatch):
    pending(monkeypatch, "failed", [{"id": "default/picky", "state": "NACKED", "error": "Envoy says no"}])
    said = mesh("apply", "--wait", "-f", file("a.yaml", route()))
    assert said.status == 1
    assert "default/picky: Envoy says no" in said.err


def pending(monkeypatch, state, proxies):
    """The proxies answer so. (How they do in truth is the control plane's to test.)"""
    from dataclasses import make_dataclass

    from meshconsole.xds import status

    answer = make_dataclass("Answer", ["state", "proxies"])(state, proxies)
    monkeypatch.setattr(status, "revision_status", lambda number: answer)


def test_watching_is_for_lines(mesh):
    said = mesh("get", "virtualservices", "-w", "-o", "yaml")
    assert said.status == 2 and "--watch prints lines" in said.err
