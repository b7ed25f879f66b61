"""Browsers' WebSocket /ws/topology: one graph, then what changes in it. The frames are described in graph.py."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Annotated, Any

import msgspec
from channels.generic.websocket import AsyncWebsocketConsumer
from django.contrib.auth import get_user_model
from django.db import close_old_connections

from meshconsole.accounts import permissions
from meshconsole.agents.limits import Bucket

from . import queries
from .graph import Graph, GraphKind

EVERY = 2.0
"""Seconds between diffs."""
RECHECK = 15.0
"""Seconds after which a connected user's permissions are read again."""
NOT_LOGGED_IN = 4401
TOO_LARGE = 1009
LONGEST_FRAME = 64 * 1024
"""Of a question: a thousand namespaces fit."""

_threads = ThreadPoolExecutor(2, thread_name_prefix="topology-ws")


class Subscribe(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    window: Annotated[int, msgspec.Meta(ge=queries.SHORTEST, le=queries.LONGEST)] = 60
    kind: GraphKind = "versionedApp"
    namespaces: Annotated[tuple[str, ...], msgspec.Meta(max_length=1000)] | None = None
    at: datetime | None = None
    idle: bool = True


class Asked(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    subscribe: Subscribe | None = None
    unsubscribe: bool = False


_decoder = msgspec.json.Decoder(Asked)


class Refused(Exception):
    """Said to the browser in words; the connection stays."""


class TopologyConsumer(AsyncWebsocketConsumer):
    _feed: asyncio.Task | None = None

    async def connect(self) -> None:
        self._asks = Bucket(2, 20)
        user = self.scope.get("user")
        await self.accept()
        if user is None or not user.is_authenticated:
            await self.close(NOT_LOGGED_IN)

    async def disconnect(self, code: int) -> None:
        await self._stop()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if len(text_data or bytes_data or b"") > LONGEST_FRAME:
            await self.close(TOO_LARGE)
            return
        await self._asks.take()  # whoever asks faster is read more slowly: graphs are computed for each question
        try:
            asked = _decoder.decode(text_data or bytes_data or b"")
        except msgspec.DecodeError as e:
            await self._say({"error": {"message": f"not understood: {e}"}})
            return
        if asked.unsubscribe:
            await self._stop()
            await self._say({"unsubscribed": True})
        if asked.subscribe is not None:
            try:
                question, graph = await self._ask(asked.subscribe)
            except Refused as e:
                await self._say({"error": {"message": str(e)}})
                return
            await self._stop()
            await self.send(text_data=f'{{"graph":{queries.encode(graph).decode()}}}')
            if question.at is None:
                self._feed = asyncio.create_task(self._follow(asked.subscribe, question, graph))

    async def _follow(self, subscribe: Subscribe, question: queries.Question, graph: Graph) -> None:
        checked = time.monotonic()
        while True:
            await asyncio.sleep(EVERY)
            if time.monotonic() - checked >= RECHECK:
                checked = time.monotonic()
                try:
                    question = await self._in_thread(self._question, subscribe)
                except Refused as e:
                    await self._say({"error": {"message": str(e)}, "unsubscribed": True})
                    return
            try:
                new = await self._in_thread(self._graph, question)
                body = await self._in_thread(queries.change, graph, new)
            except Exception as e:  # a database that is away for a while must not end the page's feed
                await self._say({"error": {"message": f"the graph could not be read: {type(e).__name__}"}})
                continue
            await self.send(text_data=body.decode())
            graph = new

    async def _ask(self, subscribe: Subscribe) -> tuple[queries.Question, Graph]:
        question = await self._in_thread(self._question, subscribe)
        return question, await self._in_thread(self._graph, question)

    def _question(self, subscribe: Subscribe) -> queries.Question:
        """The subscription within what the user may view."""
        asker = self.scope["user"]
        user = get_user_model().objects.filter(pk=asker.pk, is_active=True).first()
        if user is None or user.get_session_auth_hash() != asker.get_session_auth_hash():  # a new password, or signed out everywhere
            raise Refused("you are not logged in any more")
        may_view = permissions.visible(user, "get", "Topology")
        asked = None if subscribe.namespaces is None else frozenset(subscribe.namespaces)
        if may_view is not None:
            refused = sorted((asked or frozenset()) - may_view)
            if refused:
                raise Refused(f"you may not view namespace {', '.join(refused)}")
            asked = frozenset(may_view) if asked is None else asked
        at = None if subscribe.at is None else subscribe.at.timestamp()
        return queries.Question(subscribe.window, subscribe.kind, asked, at, subscribe.idle)

    @staticmethod
    def _graph(question: queries.Question) -> Graph:
        return queries.current(question.window, question.kind, question.namespaces, question.at, idle=question.idle)

    async def _in_thread(self, work: Any, *arguments: Any) -> Any:
        """Not Django's one thread for sync code: a large graph would hold up everybody else's pages."""
        return await asyncio.get_running_loop().run_in_executor(_threads, _and_close, work, *arguments)

    async def _stop(self) -> None:
        if self._feed is not None:
            self._feed.cancel()
            self._feed = None

    async def _say(self, message: dict[str, Any]) -> None:
        await self.send(text_data=msgspec.json.encode(message).decode())


def _and_close(work: Any, *arguments: Any) -> Any:
    try:
        return work(*arguments)
    finally:
        close_old_connections()
