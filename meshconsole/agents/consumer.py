"""The WebSocket of one agent: frames in, frames out, in the order that protocol.py tells. A thin shell around enrolment, the hub and ingest."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from meshconsole import measures
from meshconsole.ca.issuing import Refusal
from meshconsole.discovery.platforms import agents
from meshconsole.xds import hub
from meshconsole.xds.link import Link
from meshconsole.xds.threads import in_database
from proxyagent import protocol
from telemetry.spans import Origin

from . import enrolment, limits, refusals
from .intake import Intake
from .logs import logs
from .newest import Newest
from .outbox import Outbox
from .traces import origin, traces

log = logging.getLogger(__name__)

Receive = Callable[[], Awaitable[dict[str, Any]]]
F = TypeVar("F")


class Gone(Exception):
    """The socket is closed."""


class AgentConsumer(AsyncWebsocketConsumer):
    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Callable[[Any], Awaitable[None]]) -> None:
        # Channels' own loop makes two tasks per frame and visits the database's thread for each; nothing here needs that.
        self.scope, self.base_send, self._receive = scope, send, receive
        self.address = (scope.get("client") or ("", 0))[0]
        self.outbox = Outbox(lambda data: send({"type": "websocket.send", "bytes": data}), self._cut)  # type: ignore[arg-type, return-value]
        self.reading = asyncio.current_task()
        self.link: Link | None = None
        self.intake: Intake | None = None
        self.goodbye = self.closing = False
        self.claimed = ""
        """The name under which it came."""
        self.labels: dict[str, str] = {}
        self.origin: Origin | None = None
        self.frames = limits.Bucket(100, 500)
        self.costly = limits.Bucket(0.5, 10)
        self.health: Newest[protocol.Health] = Newest(self._healthy, limits.Bucket(0.5, 10))
        try:
            await self._converse()
        except Gone:
            pass
        except Refusal as e:
            await self._refuse(protocol.Refused(e.code, str(e), retry=e.code == "busy"))  # type: ignore[arg-type]
        except protocol.Malformed as e:
            await self._refuse(protocol.Refused("malformed", str(e)[:500]))
        except (DatabaseError, InterfaceError, OSError) as e:
            log.warning("Agent at %s cannot be served now: %s", self.address, e)
            await self._refuse(protocol.Refused("busy", "the console's database does not answer", retry=True))
        except Exception:
            log.exception("The conversation with the agent at %s ended by a fault of ours", self.address)
            await self._refuse(protocol.Refused("busy", "the console stumbled", retry=True))
        finally:
            await self._leave()

    async def _converse(self) -> None:
        if (await self._receive())["type"] != "websocket.connect":
            return
        await self.accept()
        current = hub.current()
        if current is None:
            raise Refusal("busy", "the console is starting or stopping")
        async with _deadline(limits.HANDSHAKE_SECONDS):
            self.link = link = await self._begin(current)
        while True:
            await self._handle(current, link, await self._next())

    async def _begin(self, current: hub.Hub) -> Link:
        enrolled = await self._enrol()
        state = await self._expect(protocol.State)
        self.labels = enrolled.workload.labels
        self.origin = origin(enrolled.workload)
        self.intake = Intake(enrolled.facts.proxy_id, self._say)
        link = current.connect(enrolled.facts, state, self.outbox.put, self._replace)
        link.assigned = enrolled.assigned
        return link

    async def _enrol(self) -> enrolment.Enrolled:
        hello = enrolment.first_frame(await self._bytes(limits.HANDSHAKE_BYTES))
        if not isinstance(hello, protocol.Hello):
            raise Refusal("malformed", f"the conversation begins with Hello, not {type(hello).__name__}")
        enrolment.check_protocol(hello)
        self.claimed = f"{hello.workload.namespace}/{hello.workload.name}"
        challenge = protocol.Challenge(secrets.token_bytes(32), enrolment.console_name())
        self._say(challenge)
        answer: Any = await self._expect(protocol.Join, protocol.Prove)
        enrolled = await in_database(enrolment.enrol, hello, answer, challenge, self.address, timezone.now())
        self._say(enrolled.welcome)
        if enrolled.assigned is not None:
            self._say(enrolled.assigned)
        return enrolled

    async def _handle(self, current: hub.Hub, link: Link, frame: protocol.FromAgent) -> None:
        await self.frames.take()
        if self.closing:
            return  # it has been told that it is cut, and does not act any more
        match frame:
            case protocol.Applied():
                current.applied(link, frame)
            case protocol.Demand():
                await self.frames.take((len(frame.virtual_hosts) + len(frame.clusters)) / 10)
                current.demand(link, frame)
            case protocol.StateList():
                current.listed(link, frame)
            case protocol.Metrics():
                assert self.intake is not None
                await self.intake.put(frame)
            case protocol.Health():
                self.health.put(frame)
            case protocol.SignRequest():
                await self.costly.take()
                await self._sign(link, frame)
            case protocol.EnvoyState():
                current.envoy(link, frame)
            case protocol.Trusted():
                current.trusted(link, frame)
            case protocol.Goodbye():
                self.goodbye = link.leaving = True
                self.health.close()
                if current.links.get(link.facts.proxy_id) is link:
                    await in_database(enrolment.goodbye, self._name, current.id, timezone.now())
            case protocol.Spans():
                assert self.origin is not None
                traces.put(self.origin, frame.batch, frame.dropped)
            case protocol.Logs():
                assert self.origin is not None
                logs.put(self.origin, frame.batch, frame.dropped)
            case _:
                raise Refusal("malformed", f"{type(frame).__name__} is not said at this point")

    async def _healthy(self, frame: protocol.Health) -> None:
        await in_database(agents.health, self._name, frame, timezone.now())

    async def _sign(self, link: Link, frame: protocol.SignRequest) -> None:
        try:
            svid = await in_database(enrolment.renew, link.facts, self.labels, frame.csr, timezone.now())
        except Refusal as e:
            if e.code == "revoked":
                raise
            log.warning("%s got no new certificate: %s", link.facts.proxy_id, e)
            await refusals.note(self.address, link.facts.proxy_id, e.code, str(e))
            self._say(protocol.Certificate(b"", error=str(e)))
        except (DatabaseError, InterfaceError, OSError):
            self._say(protocol.Certificate(b"", error="the console's database does not answer"))
        else:
            current = hub.current()
            if current is not None:
                current.certified(link, svid.serial)
            # A bundle newer than the one in which it was signed may be on its way already, and must not be undone.
            bundle = svid.trust_bundle if svid.bundle.number > link.trust else b""
            link.trust = max(link.trust, svid.bundle.number)
            self._say(protocol.Certificate(bundle, svid.chain, svid.renew_at))

    @property
    def _name(self) -> tuple[str, str]:
        assert self.link is not None
        return self.link.facts.namespace, self.link.facts.name

    # --- frames -----------------------------------------------------------------------------------------------------

    def _say(self, frame: protocol.Frame) -> None:
        self.outbox.put(protocol.encode(frame))

    async def _next(self) -> protocol.FromAgent:
        return protocol.decode_from_agent(await self._bytes(protocol.MAX_FRAME))

    async def _expect(self, *wanted: type[F]) -> F:
        frame = protocol.decode_from_agent(
            await self._bytes(limits.HANDSHAKE_BYTES if wanted[0] is not protocol.State else protocol.MAX_FRAME)
        )
        if not isinstance(frame, wanted):
            raise Refusal("malformed", f"{' or '.join(w.__name__ for w in wanted)} was expected, not {type(frame).__name__}")
        return frame

    async def _bytes(self, limit: int) -> bytes:
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            raise Gone
        data = message.get("bytes")
        if data is None:
            raise Refusal("malformed", "frames are binary")
        if len(data) > limit:
            raise Refusal("malformed", f"a frame of {len(data)} bytes is longer than {limit}")
        return data

    # --- the end ----------------------------------------------------------------------------------------------------

    async def _refuse(self, frame: protocol.Refused) -> None:
        log.warning("Agent %s refused: %s (%s)", self.link.facts.proxy_id if self.link else f"at {self.address}", frame.message, frame.code)
        self.closing = True
        measures.REFUSED_AGENTS.labels(frame.code).inc()
        self._say(frame)
        with contextlib.suppress(Exception):  # whichever way the server says that the socket is gone
            await asyncio.wait_for(self.outbox.emptied(), 5)
            await self.close(1008 if frame.code in ("malformed", "busy") else 4000)
        await refusals.note(self.address, self.claimed, frame.code, frame.message)

    def _replace(self, frame: protocol.Refused) -> None:
        """The hub wants it gone."""

        async def leave() -> None:
            await self._refuse(frame)
            if self.reading is not None:
                self.reading.cancel()

        self.leaving = asyncio.ensure_future(leave())

    def _cut(self) -> None:
        log.warning("Agent at %s does not read what it is sent", self.address)
        if self.reading is not None:
            self.reading.cancel()

    async def _leave(self) -> None:
        current = hub.current()
        if self.link is not None and current is not None:
            current.disconnect(self.link, goodbye=self.goodbye)
        if self.intake is not None:
            self.intake.close()
        self.health.close()
        self.outbox.close()


@contextlib.asynccontextmanager
async def _deadline(seconds: float):  # type: ignore[no-untyped-def]
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as e:
        raise Refusal("malformed", f"the handshake took longer than {seconds:.0f} s") from e
