"""Real HTTP servers on loopback that take what notifiers send. Stand-ins for services that tests cannot reach."""

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Got:
    path: str
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


@dataclass
class Receiver:
    """Keeps what it gets; answers with `status` (one, or a list that is used up)."""

    status: int | list[int] = 202
    check: object = None
    """Called with what came; what it returns, if anything, is the reason for a 400."""
    got: list[Got] = field(default_factory=list)
    location: str = ""

    def __enter__(self):
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                got = Got(self.path, {k.lower(): v for k, v in self.headers.items()}, self.rfile.read(int(self.headers["content-length"])))
                status = receiver.status
                if isinstance(status, list):
                    status = status.pop(0) if len(status) > 1 else status[0]
                fault = receiver.check(got) if receiver.check else None
                receiver.got.append(got)
                answer = json.dumps({"status": "invalid event", "errors": [fault]} if fault else {"status": "success"}).encode()
                self.send_response(400 if fault else status)
                if receiver.location:
                    self.send_header("location", receiver.location)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def events_api_v2(got: Got) -> str | None:
    """
    What PagerDuty's Events API v2 documents of an event (developer.pagerduty.com, "Send an event to PagerDuty" and "PD-CEF"): which fields there
    are, which are required, their types and limits. Its servers are not asked: this is a stand-in that validates the documented schema.
    """
    if got.path != "/v2/enqueue" or not got.headers.get("content-type", "").startswith("application/json"):
        return "not the Events API v2"
    event = got.json
    known = {"routing_key", "event_action", "dedup_key", "payload", "client", "client_url", "links", "images"}
    if unknown := set(event) - known:
        return f"unknown fields {unknown}"
    if not isinstance(event.get("routing_key"), str) or len(event["routing_key"]) != 32:
        return "routing_key is invalid"
    if event.get("event_action") not in ("trigger", "acknowledge", "resolve"):
        return "event_action is invalid"
    if not isinstance(event.get("dedup_key"), str) or not 0 < len(event["dedup_key"]) <= 255:
        return "dedup_key is invalid" if event["event_action"] != "trigger" or "dedup_key" in event else None
    if event["event_action"] != "trigger":
        return None
    payload = event.get("payload")
    if not isinstance(payload, dict):
        return "payload is missing"
    if extra := set(payload) - {"summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"}:
        return f"unknown fields {extra} in payload"
    for name in ("summary", "source", "severity"):
        if not isinstance(payload.get(name), str) or not payload[name]:
            return f"payload.{name} is missing"
    if len(payload["summary"]) > 1024:
        return "payload.summary is too long"
    if payload["severity"] not in ("critical", "error", "warning", "info"):
        return "payload.severity is invalid"
    if "timestamp" in payload:
        from datetime import datetime

        if datetime.fromisoformat(payload["timestamp"]).tzinfo is None:
            return "payload.timestamp has no offset"
    if not isinstance(payload.get("custom_details", {}), dict):
        return "payload.custom_details is no object"
    for link in event.get("links", []):
        if set(link) - {"href", "text"} or not link.get("href", "").startswith(("http://", "https://")):
            return "links are invalid"
    return None if len(got.body) < 512 * 1024 else "too large"
