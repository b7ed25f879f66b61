"""What a proxy lacks is told by the hub that it is connected to, also to other processes."""

import threading
from types import SimpleNamespace

from meshconsole.core.envoy.resource_set import ResourceSet, XdsType
from meshconsole.core.envoy.wire import blob
from meshconsole.xds import held, hub, notices


def cluster(name: str, timeout: str = "1s"):
    return blob(XdsType.CDS, name, {"name": name, "connect_timeout": timeout})


def resources(*blobs) -> ResourceSet:
    return ResourceSet({(b.type, b.name): b for b in blobs})


def link(desired: ResourceSet | None, have, refused=None):
    session = SimpleNamespace(desired=desired, held=have, refused=SimpleNamespace(change=refused) if refused else None)
    return SimpleNamespace(session=session, facts=SimpleNamespace(proxy_id="default/a"))


def test_each_resource_that_differs_is_told_with_both_bodies():
    wanted = resources(cluster("new"), cluster("same"), cluster("changed", "2s"), cluster("bad"))
    have = resources(cluster("same"), cluster("changed"), cluster("gone")).blobs
    found = held.differences(link(wanted, {**have, (XdsType.CDS, "bad"): ""}, {(XdsType.CDS, "bad"): "x"}))
    assert [(d.name, d.state) for d in found] == [("bad", "refused"), ("changed", "stale"), ("gone", "extra"), ("new", "missing")]
    changed = found[1]
    assert changed.acknowledged["connect_timeout"] == "1s" and changed.desired["connect_timeout"] == "2s"


def test_whoever_is_in_sync_lacks_nothing():
    wanted = resources(cluster("a"))
    assert held.differences(link(wanted, wanted.blobs)) == []
    assert held.differences(link(wanted, {name: b.version for name, b in wanted.blobs.items()})) == []


def test_another_process_is_asked_and_answers_in_the_cache(monkeypatch):
    wanted = resources(cluster("a", "3s"))

    def publish(text: str) -> None:
        assert text == f"{notices.QUESTION}default/a"
        threading.Timer(0.1, held.answer, [link(wanted, {})]).start()

    monkeypatch.setattr(notices, "publish", publish)
    monkeypatch.setattr(hub, "_hub", None)
    (difference,) = held.ask("default/a")
    assert difference.state == "missing" and difference.desired["connect_timeout"] == "3s"


def test_nobody_answers_for_an_agent_that_is_away(monkeypatch):
    monkeypatch.setattr(held, "WAIT", 0.1)
    monkeypatch.setattr(hub, "_hub", None)
    assert held.ask("default/away") is None
