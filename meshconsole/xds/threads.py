"""The threads in which the hub and the agents' consumers wait for the database: a few, apart from those that serve pages."""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import DatabaseError, InterfaceError, close_old_connections, connection

P = ParamSpec("P")
T = TypeVar("T")

SIZE = 4
_pool: ThreadPoolExecutor | None = None


async def in_database(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `call` in one of the threads. A connection that failed is thrown away, so that the next call makes a new one."""
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(SIZE, thread_name_prefix="mesh-database")
    return await asyncio.get_running_loop().run_in_executor(_pool, lambda: _guarded(call, *args, **kwargs))


def _guarded(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        return call(*args, **kwargs)
    except (DatabaseError, InterfaceError, OSError):
        with contextlib.suppress(Exception):
            if not connection.in_atomic_block:
                connection.close()
        raise
    finally:
        if connection.settings_dict.get("CONN_HEALTH_CHECKS"):
            close_old_connections()


async def close() -> None:
    """End the threads, and with each its connection."""
    global _pool
    pool, _pool = _pool, None
    if pool is None:
        return
    barrier = [asyncio.get_running_loop().run_in_executor(pool, _leave) for _ in range(SIZE)]
    await asyncio.gather(*barrier, return_exceptions=True)
    pool.shutdown(wait=False)


def _leave() -> None:
    connection.close()
