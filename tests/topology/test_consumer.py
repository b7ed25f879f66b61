import asyncio

import msgspec
import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser

from meshconsole.accounts.models import Grant, User
from meshconsole.topology import consumer, queries
from meshconsole.topology.diff import Diff, apply

from .browser import Browser
from .conftest import Mesh

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(consumer, "EVERY", 0.05)
    monkeypatch.setattr(queries, "_lifetime", lambda question, cost: 0.0)


async def person(name: str, **roles: str) -> User:
    def make() -> User:
        user = User.objects.create_user(name, password="x")
        for namespace, role in roles.items():
            Grant.objects.create(user=user, namespace=namespace.replace("everywhere", "*"), role=role)
        return user

    return await sync_to_async(make)()


async def test_nobody_is_told_anything_without_a_login():
    page = Browser(AnonymousUser())
    await page.connect()
    refused = await page.receive_output(10)
    assert (refused["type"], refused["code"]) == ("websocket.close", 4401)


async def test_a_page_gets_the_graph_and_then_what_changes(bookinfo: Mesh):
    page = Browser(await person("alice", everywhere="viewer"))
    assert (await page.connect())["type"] == "websocket.accept"
    graph = await page.subscribe()
    assert len(graph.nodes) == 6 and graph.edges == ()
    await sync_to_async(bookinfo.calls)("productpage-v1", "reviews-v2", 50)
    await sync_to_async(bookinfo.sync)("default/details-v1", "STALE")
    for _ in range(100):
        graph = apply(msgspec.convert((await page.hear())["diff"], Diff), graph)
        stale = [n.id for n in graph.nodes if "outOfSync" in n.flags]
        if graph.edges and stale:
            break
    assert [e.id for e in graph.edges] == ["version:default/productpage/v1→version:default/reviews/v2→http"]
    assert stale == ["version:default/details/v1"]
    await page.leave()


async def test_the_subscription_changes_while_connected(bookinfo: Mesh):
    page = Browser(await person("alice", everywhere="viewer"))
    await page.connect()
    assert (await page.subscribe()).kind == "versionedApp"
    graph = await page.subscribe(kind="app", window=600, idle=False)
    assert (graph.kind, graph.window, graph.nodes) == ("app", 600, ())
    diff = (await page.hear())["diff"]
    assert (diff["kind"], diff["window"]) == ("app", 600)
    await page.leave()


async def test_after_unsubscribing_nothing_follows(bookinfo: Mesh):
    page = Browser(await person("alice", everywhere="viewer"))
    await page.connect()
    await page.subscribe()
    await page.say('{"unsubscribe": true}')
    said = await page.hear_past_diffs()
    assert said == {"unsubscribed": True}
    assert await page.receive_nothing(timeout=0.3)
    await page.leave()


async def test_the_past_is_one_graph(bookinfo: Mesh):
    page = Browser(await person("alice", everywhere="viewer"))
    await page.connect()
    graph = await page.subscribe(at="2026-08-05T10:00:00Z")
    assert graph.end == "2026-08-05T10:00:00Z"
    assert await page.receive_nothing(timeout=0.3)
    await page.leave()


class TestPermissions:
    async def test_bob_sees_his_namespace_only(self, bookinfo: Mesh):
        await sync_to_async(bookinfo.register)("cart-v1", "cart", {"app": "cart", "version": "v1"}, "shop")
        page = Browser(await person("bob", shop="viewer"))
        await page.connect()
        graph = await page.subscribe()
        assert [n.id for n in graph.nodes] == ["version:shop/cart/v1"]
        assert graph.namespaces == ("shop",)
        await page.leave()

    async def test_what_he_may_not_view_is_refused_by_name_and_his_graph_goes_on(self, bookinfo: Mesh):
        page = Browser(await person("bob", shop="viewer"))
        await page.connect()
        await page.subscribe()
        await page.say('{"subscribe": {"namespaces": ["shop", "default"]}}')
        said = await page.hear_past_diffs()
        assert said["error"]["message"] == "you may not view namespace default"
        assert "diff" in await page.hear()
        await page.leave()

    async def test_charlie_without_any_role_sees_nothing(self, bookinfo: Mesh):
        page = Browser(await person("charlie"))
        await page.connect()
        assert (await page.subscribe()).nodes == ()
        await page.leave()

    async def test_who_is_put_out_while_connected_gets_no_more(self, bookinfo: Mesh, monkeypatch):
        monkeypatch.setattr(consumer, "RECHECK", 0.0)
        user = await person("bob", default="viewer")
        page = Browser(user)
        await page.connect()
        await page.subscribe()
        await User.objects.filter(pk=user.pk).aupdate(is_active=False)
        said = await page.hear_past_diffs()
        assert said == {"error": {"message": "you are not logged in any more"}, "unsubscribed": True}
        assert await page.receive_nothing(timeout=0.3)
        await page.leave()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"subscribe": {"window": 5}}', '{"subscribe": {"kind": "pie"}}', '{"subscribe": {"colour": 1}}', '{"sub": 1}']
)
async def test_what_is_not_understood_is_said_and_the_connection_stays(bookinfo: Mesh, text: str):
    page = Browser(await person("alice", everywhere="viewer"))
    await page.connect()
    await page.say(text)
    assert "not understood" in (await page.hear())["error"]["message"]
    assert len((await page.subscribe()).nodes) == 6
    await page.leave()


async def test_a_store_that_is_away_for_a_while_does_not_end_the_feed(bookinfo: Mesh, monkeypatch):
    page = Browser(await person("alice", everywhere="viewer"))
    await page.connect()
    await page.subscribe()

    def away(*_, **__):
        raise OSError

    with monkeypatch.context() as broken:
        broken.setattr(queries.query, "edges", away)
        said = await page.hear_past_diffs()
        assert "OSError" in said["error"]["message"]
    for _ in range(50):
        if "diff" in await page.hear():
            break
        await asyncio.sleep(0.01)
    else:
        raise AssertionError("no diff after the store came back")
    await page.leave()
