"""
The largest and the slowest body that an HTTP request may have, held at the ASGI door.

Django's own limit looks only after it has taken the whole body to disk; this one answers 413 by the Content-Length, or at the byte too many.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


BODY_SECONDS = 60.0
"""For the whole of a request's body: 70 kB/s at the least for the largest that is taken."""


class BodyLimit:
    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], limit: int):
        self.app, self.limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self.limit:
            return await self._refuse(scope, send)
        receive = self._in_time(scope, receive, send)
        taken = 0
        body: list[MutableMapping[str, Any]] = []
        if b"transfer-encoding" in dict(scope["headers"]):  # chunked: only counting tells how much it is
            while True:
                message = await receive()
                body.append(message)
                taken += len(message.get("body", b""))
                if taken > self.limit:
                    return await self._refuse(scope, send)
                if message["type"] == "http.disconnect" or not message.get("more_body"):
                    break

        async def again() -> MutableMapping[str, Any]:
            return body.pop(0) if body else await receive()

        await self.app(scope, again, send)

    def _in_time(self, scope: Scope, receive: Receive, send: Send) -> Receive:
        end = time.monotonic() + BODY_SECONDS
        more = True

        async def timed() -> MutableMapping[str, Any]:
            nonlocal more
            if not more:  # what comes now is news of the connection, which may take as long as it likes
                return await receive()
            try:
                async with asyncio.timeout(max(0.0, end - time.monotonic())):
                    message = await receive()
            except TimeoutError:
                more = False
                text = f"The body did not arrive within {BODY_SECONDS:.0f} seconds."
                await self._refuse(scope, send, 408, "Timeout", text)
                return {"type": "http.disconnect"}
            more = bool(message.get("more_body"))
            return message

        return timed

    async def _refuse(self, scope: Scope, send: Send, code: int = 413, reason: str = "RequestEntityTooLarge", text: str = "") -> None:
        text = text or f"The body is larger than {self.limit} bytes (MAX_UPLOAD_BYTES). Send it in parts."
        if scope["path"].startswith("/apis"):
            said = {
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Failure",
                "message": text,
                "reason": reason,
                "code": code,
            }
        else:
            said = {"error": text, "messages": []}
        answer = json.dumps(said).encode()
        # The rest of the body is not read: the connection cannot be used again.
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode()), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": code, "headers": headers})
        await send({"type": "http.response.body", "body": answer})
