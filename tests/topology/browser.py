"""A browser's end of a WebSocket, at the ASGI seam (channels.testing would want daphne)."""

from typing import Any

import msgspec
from asgiref.testing import ApplicationCommunicator

from meshconsole.topology.consumer import TopologyConsumer
from meshconsole.topology.graph import Graph


class Browser(ApplicationCommunicator):
    def __init__(self, user: object) -> None:
        super().__init__(TopologyConsumer.as_asgi(), {"type": "websocket", "path": "/ws/topology", "headers": [], "user": user})

    async def connect(self) -> dict[str, Any]:
        """What the console answers."""
        await self.send_input({"type": "websocket.connect"})
        return await self.receive_output(10)

    async def say(self, text: str) -> None:
        await self.send_input({"type": "websocket.receive", "text": text})

    async def hear(self) -> dict[str, Any]:
        frame = await self.receive_output(10)
        assert frame["type"] == "websocket.send", frame
        return msgspec.json.decode(frame["text"])

    async def subscribe(self, **wishes: object) -> Graph:
        await self.say(msgspec.json.encode({"subscribe": wishes}).decode())
        return msgspec.convert((await self.hear_past_diffs())["graph"], Graph)

    async def hear_past_diffs(self) -> dict[str, Any]:
        while "diff" in (said := await self.hear()):
            pass
        return said

    async def leave(self) -> None:
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wait(10)
