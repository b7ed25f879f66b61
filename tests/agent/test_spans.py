"""The agent takes spans as Envoy sends them, keeps a bounded amount, and relays bytes."""

import asyncio
import contextlib

import pytest

from proxyagent.protocol import Spans
from proxyagent.relay import outflow, spans

HEAD = b"POST /v1/traces HTTP/1.1\r\nhost: agent\r\ncontent-type: application/x-protobuf\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"


@pytest.fixture
async def relay(tmp_path):
    sent: list[Spans] = []
    made = spans.SpanRelay(tmp_path / "otlp.sock", send=sent.append, idle=lambda: True)
    made.sent, made.path = sent, str(tmp_path / "otlp.sock")
    await made.start()
    work = asyncio.create_task(made.outflow.run())
    yield made
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work
    await made.stop()


async def post(relay, *requests: bytes) -> list[bytes]:
    reader, writer = await asyncio.open_unix_connection(relay.path)
    answers = []
    for request in requests:
        writer.write(request)
        answers.append((await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).split(b"\r\n")[0])
    writer.close()
    return answers


async def settled(relay, frames: int) -> list[Spans]:
    async with asyncio.timeout(5):
        while len(relay.sent) < frames:
            await asyncio.sleep(0.01)
    return relay.sent


async def test_chunked_and_plain_bodies_of_one_moment_are_one_frame(relay):
    relay.outflow.console(True)
    said = await post(relay, CHUNKED, HEAD + b"content-length: 2\r\n\r\nhi")
    assert said == [b"HTTP/1.1 200 OK"] * 2
    assert [f.batch for f in await settled(relay, 1)] == [b"abcdefghi"]


async def test_what_comes_while_the_console_is_away_goes_when_it_is_back(relay):
    await post(relay, CHUNKED)
    await asyncio.sleep(outflow.COLLECT_SECONDS * 2)
    assert relay.sent == []
    relay.outflow.console(True)
    assert [f.batch for f in await settled(relay, 1)] == [b"abcdefg"]


async def test_other_paths_and_bodies_too_large_are_refused(relay):
    assert await post(relay, CHUNKED.replace(b"/v1/traces", b"/v1/metrics")) == [b"HTTP/1.1 404 Not Found"]
    assert await post(relay, CHUNKED.replace(b"application/x-protobuf", b"text/plain")) == [b"HTTP/1.1 415 Unsupported Media Type"]
    assert await post(relay, HEAD + b"content-length: 99999999\r\n\r\n") == [b"HTTP/1.1 413 Payload Too Large"]
    assert await post(relay, HEAD + b"transfer-encoding: chunked\r\n\r\n9999999\r\n") == [b"HTTP/1.1 413 Payload Too Large"]
    assert relay.outflow.queue.size == 0


def test_a_full_queue_drops_the_oldest_and_says_how_much():
    queue = outflow.Queue(Spans, most=10)
    for body in (b"aaaa", b"bbbb", b"cccc"):
        queue.put(body)
    assert queue.take() == Spans(b"bbbbcccc", dropped=4)
    assert queue.take() is None and queue.dropped_ever == 4 and queue.size == 0


def test_a_frame_has_its_size():
    queue = outflow.Queue(Spans)
    for _ in range(3):
        queue.put(b"x" * 6)
    assert [len(queue.take(at_most=13).batch), len(queue.take(at_most=13).batch)] == [12, 6]
