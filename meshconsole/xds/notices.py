"""
Short notices between processes over Redis: 'revision N', 'workloads'. They say that there is news, never what.

A lost notice costs at most the poll interval, so nothing here ever raises or waits long.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import redis
import redis.asyncio
from django.conf import settings

log = logging.getLogger(__name__)

CHANNEL = "meshconsole:revision"
QUESTION = "held "
"""Begins a notice that asks what a proxy, whose id follows, has acknowledged."""
PAUSE = 5.0
"""Seconds without another try after Redis did not answer a publisher."""

_client: "redis.Redis | None" = None
_lock = threading.Lock()
_pause_until = 0.0


def publish(text: str) -> None:
    """From any thread of any process."""
    global _client, _pause_until
    if not settings.REDIS_URL or time.monotonic() < _pause_until:
        return
    try:
        with _lock:
            if _client is None:
                _client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5)
        _client.publish(CHANNEL, text)
    except (redis.RedisError, OSError) as e:
        _pause_until = time.monotonic() + PAUSE
        log.warning("No notice of %s: Redis does not answer (%s); the others find out by themselves", text, e)


def on_commit(revision: int, **_: Any) -> None:
    publish(str(revision))


def on_change(**_: Any) -> None:
    publish("workloads")


def on_trust(**_: Any) -> None:
    publish("trust")


async def listen(heard: Callable[[], None], asked: Callable[[str], None] = lambda _: None) -> None:
    """Call `heard` at each notice, for ever. Also at each new connection: who was deaf may have missed something. A question about a proxy
    (held.py) is no news: `asked` gets its id."""
    if not settings.REDIS_URL:
        await asyncio.Event().wait()
    wait = 0.5
    while True:
        client = redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, socket_keepalive=True, health_check_interval=15)
        try:
            async with client.pubsub(ignore_subscribe_messages=True) as subscription:
                await subscription.subscribe(CHANNEL)
                wait = 0.5
                heard()
                async for message in subscription.listen():
                    text = message["data"].decode(errors="replace")
                    asked(text.removeprefix(QUESTION)) if text.startswith(QUESTION) else heard()
        except (redis.RedisError, OSError, TimeoutError) as e:
            log.warning("Redis does not answer (%s); revisions are polled meanwhile", e)
        finally:
            await client.aclose()
        await asyncio.sleep(wait)
        wait = min(wait * 2, 10.0)
