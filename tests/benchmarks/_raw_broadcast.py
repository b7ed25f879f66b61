"""The peer of rows `push`, `reconnect` and `memory`: a bare ASGI application that sends what it is POSTed to every WebSocket. No Django, no protocol."""

import asyncio
from typing import Any

sockets: dict[int, Any] = {}
replies = 0


async def application(scope: dict, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "websocket":
        await websocket(receive, send)
    else:
        await broadcast(receive, send)


async def lifespan(receive: Any, send: Any) -> None:
    while (await receive())["type"] != "lifespan.shutdown":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})


async def websocket(receive: Any, send: Any) -> None:
    global replies
    await receive()
    await send({"type": "websocket.accept"})
    sockets[id(send)] = send
    while (await receive())["type"] != "websocket.disconnect":
        replies += 1
    del sockets[id(send)]


async def broadcast(receive: Any, send: Any) -> None:
    """Answers when it has sent to all."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    frame = {"type": "websocket.send", "bytes": body}
    await asyncio.gather(*(deliver(frame) for deliver in list(sockets.values())))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})
