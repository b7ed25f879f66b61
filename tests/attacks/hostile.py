"""
What machines might send to be shown on pages: metrics, spans and access logs whose every text is markup. `python -m tests.attacks.hostile`, in the
environment of a console.
"""

import time
import uuid

import django

django.setup()

from telemetry import ingest, logstore, samples, spans, spanstore  # noqa: E402
from telemetry.accesslog import Record  # noqa: E402
from telemetry.histogram import observe  # noqa: E402

from ..browser import bookinfo  # noqa: E402

MARK = "'\"><img src=x onerror=window.pwned=1><script>window.pwned=1</script>{{7*7}}"
TRACE = "0af7651916cd43dd8448eb211c80319c"


def counted(now: float) -> None:
    for source, target in (("reviews-v1", MARK), (MARK, "reviews-v1")):
        said = bookinfo.labels("source", "reviews-v1", "ratings-v1", "200")
        for end, name in (("source", source), ("destination", target)):
            for part in ("workload", "app", "version", "canonical_service", "canonical_revision", "principal"):
                said[f"{end}_{part}"] = name
        said |= {"destination_service": MARK, "destination_service_name": MARK, "response_flags": MARK[:60]}
        counter = samples.Counter("istio_requests_total", said, 100)
        histogram = samples.Histogram("istio_request_duration_milliseconds", said, observe([5.0] * 100), 500.0, 100)
        batch = samples.encode(samples.Batch(now - 10, now, (counter,), (histogram,)))
        ingest.store("default/reviews-v1", uuid.uuid4().hex, 1, batch)


def traced(now: float) -> None:
    made = spans.ExportTraceServiceRequest()
    resource = made.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = MARK
    span = resource.scope_spans.add().spans.add(
        trace_id=bytes.fromhex(TRACE), span_id=b"12345678", name=MARK, kind=3,
        start_time_unix_nano=int((now - 5) * 1e9), end_time_unix_nano=int((now - 4) * 1e9),
    )  # fmt: skip
    span.status.code, span.status.message = spans.ERROR, MARK
    for key in ("http.url", "http.user_agent", "user_agent", "upstream_cluster", "istio.policy", MARK):
        span.attributes.add(key=key).value.string_value = MARK
    event = span.events.add(name=MARK, time_unix_nano=int((now - 4.5) * 1e9))
    event.attributes.add(key=MARK).value.string_value = MARK
    spanstore.store(spans.pieces(made, spans.Origin(MARK, "default", MARK, MARK, False)), now=now)


def logged(now: float) -> None:
    said = dict.fromkeys(
        ("method", "path", "authority", "userAgent", "requestId", "details", "terminated", "sni", "from", "to", "policy", MARK), MARK
    )
    row = Record(
        int((now - 3) * 1e6), "destination", "default", "reviews-v1", MARK, "default", MARK, "http", 403, "", 5, TRACE, MARK, "default/deny", (), said
    )  # fmt: skip
    logstore.store([row], now=now)


if __name__ == "__main__":
    bookinfo.register()
    moment = time.time()
    for ago in range(60, 0, -10):
        counted(moment - ago)
    traced(moment)
    logged(moment)
