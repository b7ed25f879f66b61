"""One service: its traffic by caller, version and answer, its latency, sizes, gRPC and TCP."""

from ..panels import BYTES, BYTES_PER_SECOND, COUNT, MILLISECONDS, RATE, RED, SHARE, YELLOW, Query, figure, lines, quantile, rate, success
from .base import dashboard, row, variable

SEEN = 'reporter=~"$reporter", destination_service=~"$service"'
TOLD = 'reporter="destination", destination_service=~"$service"'
SECURE = TOLD + ', connection_security_policy="mutual_tls"'
HTTP, DURATION = "istio_requests_total", "istio_request_duration_milliseconds"
CALLER, VERSION = "source_workload_namespace, source_workload", "destination_workload, destination_version"

DASHBOARD = (
    dashboard("service", "Service", "One service: who calls it, which version answers, how well and how fast.")
    .with_variable(variable("service", "Service", f"label_values({HTTP}, destination_service)", everything=False))
    .with_variable(variable("reporter", "Reported by", f"label_values({HTTP}, reporter)", everything=False))
    .with_panel(figure("Requests", rate(HTTP, SEEN), RATE))
    .with_panel(figure("Success", success(SEEN), SHARE, steps=((None, RED), (0.95, YELLOW), (0.99, "green"))))
    .with_panel(figure("p50", quantile(0.5, DURATION, SEEN), MILLISECONDS))
    .with_panel(figure("p95", quantile(0.95, DURATION, SEEN), MILLISECONDS))
    .with_panel(figure("p99", quantile(0.99, DURATION, SEEN), MILLISECONDS))
    .with_panel(figure("Mutual TLS", f"{rate(HTTP, SECURE)} / {rate(HTTP, TOLD)}", SHARE))
    .with_row(row("Requests"))
    .with_panel(lines("By answer", Query(rate(HTTP, SEEN, "response_code"), "{{response_code}}"), RATE, stack=True))
    .with_panel(lines("By caller", Query(rate(HTTP, SEEN, CALLER), "{{source_workload_namespace}}/{{source_workload}}"), RATE, stack=True))
    .with_panel(lines("By version that answers", Query(rate(HTTP, SEEN, VERSION), "{{destination_workload}}"), RATE, stack=True))
    .with_panel(
        lines(
            "Latency",
            [Query(quantile(q, DURATION, SEEN), f"p{round(q * 100)}") for q in (0.5, 0.9, 0.95, 0.99)],
            MILLISECONDS,
        )
    )
    .with_panel(lines("p95 by version", Query(quantile(0.95, DURATION, SEEN, VERSION), "{{destination_workload}}"), MILLISECONDS))
    .with_panel(lines("Success by caller", Query(success(SEEN, CALLER), "{{source_workload_namespace}}/{{source_workload}}"), SHARE, top=1))
    .with_panel(
        lines(
            "Response flags",
            Query(rate(HTTP, SEEN + ', response_flags!="-"', "response_flags"), "{{response_flags}}"),
            RATE,
            help="Why Envoy answered by itself: UF no connection, UH nobody healthy, UO circuit breaker, NR no route, FI fault, RL rate limit …",
        )
    )
    .with_panel(lines("Request size", [Query(quantile(q, "istio_request_bytes", SEEN), f"p{round(q * 100)}") for q in (0.5, 0.95)], BYTES))
    .with_panel(
        lines("Response size", [Query(quantile(q, "istio_response_bytes", SEEN), f"p{round(q * 100)}") for q in (0.5, 0.95)], BYTES)
    )
    .with_row(row("gRPC"))
    .with_panel(
        lines(
            "Calls by status",
            Query(rate(HTTP, SEEN + ', request_protocol="grpc"', "grpc_response_status"), "status {{grpc_response_status}}"),
            RATE,
            stack=True,
        )
    )
    .with_panel(lines("Messages from clients", rate("istio_request_messages_total", SEEN), COUNT))
    .with_panel(lines("Messages to clients", rate("istio_response_messages_total", SEEN), COUNT))
    .with_row(row("TCP"))
    .with_panel(lines("Bytes to clients", Query(rate("istio_tcp_sent_bytes_total", SEEN, CALLER), "{{source_workload}}"), BYTES_PER_SECOND))
    .with_panel(
        lines("Bytes from clients", Query(rate("istio_tcp_received_bytes_total", SEEN, CALLER), "{{source_workload}}"), BYTES_PER_SECOND)
    )
    .with_panel(
        lines(
            "Connections",
            [
                Query(rate("istio_tcp_connections_opened_total", SEEN), "opened"),
                Query(rate("istio_tcp_connections_closed_total", SEEN), "closed"),
            ],
            "cps",
        )
    )
)
