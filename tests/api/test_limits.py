"""The body limit at the ASGI door."""

import asyncio

from meshconsole.api.limits import BodyLimit


def ask(path="/api/v1/apply", *, headers=(), chunks=(b"",), limit=10):
    """What the application saw (None: nothing), the status, and how many chunks were taken from the connection."""
    seen, sent = [], []
    left = list(chunks)

    async def app(scope, receive, send):
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        seen.append(body)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive():
        body = left.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(left)}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "path": path, "headers": list(headers)}
    asyncio.run(BodyLimit(app, limit)(scope, receive, send))
    return (seen or [None])[0], sent[0]["status"], len(chunks) - len(left), sent[1]["body"]


def test_a_body_within_the_limit_passes():
    assert ask(headers=[(b"content-length", b"10")], chunks=[b"01234", b"56789"])[:2] == (b"0123456789", 200)


def test_a_long_body_is_refused_before_a_byte_of_it_is_read():
    seen, status, taken, body = ask(headers=[(b"content-length", b"11")], chunks=[b"0" * 11])
    assert (seen, status, taken) == (None, 413, 0)
    assert b"MAX_UPLOAD_BYTES" in body


def test_a_chunked_body_is_cut_at_the_byte_too_many():
    seen, status, taken, _ = ask(headers=[(b"transfer-encoding", b"chunked")], chunks=[b"012345", b"6789AB", b"never", b"read"])
    assert (seen, status, taken) == (None, 413, 2)
    assert ask(headers=[(b"transfer-encoding", b"chunked")], chunks=[b"01234", b"56789"])[:2] == (b"0123456789", 200)


def test_kubernetes_paths_are_refused_by_a_status_object():
    assert b'"kind": "Status"' in ask("/apis/x/v1/y", headers=[(b"content-length", b"11")])[3]


def test_nonsense_for_a_length_is_refused():
    assert ask(headers=[(b"content-length", b"-5")])[1] == 413
