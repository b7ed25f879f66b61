"""Everything at one look: traffic, errors, latency, and a table of all services."""

from ..panels import BYTES_PER_SECOND, MILLISECONDS, RATE, RED, SHARE, YELLOW, Query, figure, lines, quantile, rate, rows, success
from .base import dashboard, row, variable

SEEN = 'reporter=~"source|waypoint", destination_service_namespace=~"$namespace"'
"""What callers with a proxy say: calls that reach nobody are among them."""
TOLD = 'reporter="destination", destination_service_namespace=~"$namespace"'
FAILED = SEEN + ', response_code=~"5..|0"'
REFUSED = SEEN + ', response_code=~"4.."'
SECURE = TOLD + ', connection_security_policy="mutual_tls"'
HTTP, DURATION = "istio_requests_total", "istio_request_duration_milliseconds"
SERVICE = "destination_service"
GOOD = ((None, RED), (0.95, YELLOW), (0.99, "green"))

DASHBOARD = (
    dashboard("mesh", "Mesh", "All services of the mesh: traffic, errors, latency, TCP.")
    .with_variable(variable("namespace", "Namespace", f"label_values({HTTP}, destination_service_namespace)"))
    .with_panel(figure("Requests", rate(HTTP, SEEN), RATE))
    .with_panel(figure("Success", success(SEEN), SHARE, steps=GOOD, help="Neither 5xx, nor without an answer, nor a failed gRPC status."))
    .with_panel(figure("5xx", f"{rate(HTTP, FAILED)} or vector(0)", RATE, steps=((0.01, RED),)))
    .with_panel(figure("4xx", f"{rate(HTTP, REFUSED)} or vector(0)", RATE, steps=((0.01, YELLOW),)))
    .with_panel(figure("p95", quantile(0.95, DURATION, SEEN), MILLISECONDS))
    .with_panel(
        figure(
            "Mutual TLS",
            f"{rate(HTTP, SECURE)} / {rate(HTTP, TOLD)}",
            SHARE,
            steps=((None, YELLOW), (0.999, "green")),
            help="Share of requests that came over mutual TLS, as their receivers say.",
        )
    )
    .with_row(row("HTTP and gRPC"))
    .with_panel(lines("Requests by service", Query(rate(HTTP, SEEN, SERVICE), "{{destination_service}}"), RATE))
    .with_panel(
        lines(
            "Failed requests by service",
            Query(rate(HTTP, FAILED, f"{SERVICE}, response_code"), "{{destination_service}} {{response_code}}"),
            RATE,
        )
    )
    .with_panel(lines("p95 by service", Query(quantile(0.95, DURATION, SEEN, SERVICE), "{{destination_service}}"), MILLISECONDS))
    .with_panel(
        rows(
            "Services",
            [
                ("Requests/s", rate(HTTP, SEEN, SERVICE), RATE),
                ("Success", success(SEEN, SERVICE), SHARE),
                ("p50", quantile(0.5, DURATION, SEEN, SERVICE), MILLISECONDS),
                ("p90", quantile(0.9, DURATION, SEEN, SERVICE), MILLISECONDS),
                ("p99", quantile(0.99, DURATION, SEEN, SERVICE), MILLISECONDS),
            ],
            by=(SERVICE,),
        )
    )
    .with_row(row("TCP"))
    .with_panel(
        lines("Bytes to clients", Query(rate("istio_tcp_sent_bytes_total", SEEN, SERVICE), "{{destination_service}}"), BYTES_PER_SECOND)
    )
    .with_panel(
        lines(
            "Bytes from clients", Query(rate("istio_tcp_received_bytes_total", SEEN, SERVICE), "{{destination_service}}"), BYTES_PER_SECOND
        )
    )
    .with_panel(lines("Connections", Query(rate("istio_tcp_connections_opened_total", SEEN, SERVICE), "{{destination_service}}"), "cps"))
)
