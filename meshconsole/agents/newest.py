"""Of a series of news only the newest counts: handled one at a time and not too often, while the agent's other frames go on."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from django.db import DatabaseError, InterfaceError

from .limits import Bucket

log = logging.getLogger(__name__)
T = TypeVar("T")


class Newest(Generic[T]):
    __slots__ = ("_bucket", "_handle", "_next", "_task")

    def __init__(self, handle: Callable[[T], Awaitable[object]], bucket: Bucket):
        self._handle = handle
        self._bucket = bucket
        self._next: T | None = None
        self._task: asyncio.Task[None] | None = None

    def put(self, news: T) -> None:
        self._next = news
        if self._task is None:
            self._task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        try:
            while self._next is not None:
                await self._bucket.take()
                news, self._next = self._next, None
                try:
                    await self._handle(news)
                except (DatabaseError, InterfaceError, OSError) as e:
                    log.warning("The database does not answer (%s); trying again", e)
                    await asyncio.sleep(1.0)
                    self._next = self._next if self._next is not None else news
        finally:
            self._task = None

    async def done(self) -> None:
        """What was put is handled."""
        if self._task is not None:
            await asyncio.shield(self._task)

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
