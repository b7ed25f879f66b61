"""One workload: what comes in, what it calls, and how its agent and Envoy are."""

from ..panels import (
    BYTES,
    BYTES_PER_SECOND,
    COUNT,
    MILLISECONDS,
    ONES,
    RATE,
    RED,
    SHARE,
    YELLOW,
    Query,
    figure,
    lines,
    quantile,
    rate,
    success,
)
from .base import dashboard, row, variable

IN = 'reporter="destination", destination_workload_namespace=~"$namespace", destination_workload=~"$workload"'
OUT = 'reporter="source", source_workload_namespace=~"$namespace", source_workload=~"$workload"'
MINE = 'namespace=~"$namespace", workload=~"$workload"'
HTTP, DURATION = "istio_requests_total", "istio_request_duration_milliseconds"
CALLER, CALLED = "source_workload_namespace, source_workload", "destination_service"
GOOD = ((None, RED), (0.95, YELLOW), (0.99, "green"))

DASHBOARD = (
    dashboard("workload", "Workload", "One workload: requests in and out, TCP, its agent and its Envoy.")
    .with_variable(variable("namespace", "Namespace", "label_values(meshconsole_agent_envoy_running, namespace)", everything=False))
    .with_variable(
        variable(
            "workload", "Workload", 'label_values(meshconsole_agent_envoy_running{namespace=~"$namespace"}, workload)', everything=False
        )
    )
    .with_panel(figure("In", rate(HTTP, IN), RATE))
    .with_panel(figure("Success in", success(IN), SHARE, steps=GOOD))
    .with_panel(figure("p95 in", quantile(0.95, DURATION, IN), MILLISECONDS))
    .with_panel(figure("Out", rate(HTTP, OUT), RATE))
    .with_panel(figure("Success out", success(OUT), SHARE, steps=GOOD))
    .with_panel(figure("p95 out", quantile(0.95, DURATION, OUT), MILLISECONDS))
    .with_row(row("In"))
    .with_panel(lines("By caller", Query(rate(HTTP, IN, CALLER), "{{source_workload_namespace}}/{{source_workload}}"), RATE, stack=True))
    .with_panel(lines("By answer", Query(rate(HTTP, IN, "response_code"), "{{response_code}}"), RATE, stack=True))
    .with_panel(lines("Latency", [Query(quantile(q, DURATION, IN), f"p{round(q * 100)}") for q in (0.5, 0.95, 0.99)], MILLISECONDS))
    .with_panel(
        lines(
            "Sizes, p95",
            [Query(quantile(0.95, "istio_request_bytes", IN), "requests"), Query(quantile(0.95, "istio_response_bytes", IN), "responses")],
            BYTES,
        )
    )
    .with_panel(
        lines(
            "TCP",
            [
                Query(rate("istio_tcp_sent_bytes_total", IN), "to clients"),
                Query(rate("istio_tcp_received_bytes_total", IN), "from clients"),
            ],
            BYTES_PER_SECOND,
        )
    )
    .with_panel(lines("Security", Query(rate(HTTP, IN, "connection_security_policy"), "{{connection_security_policy}}"), RATE, stack=True))
    .with_row(row("Out"))
    .with_panel(lines("By service", Query(rate(HTTP, OUT, CALLED), "{{destination_service}}"), RATE, stack=True))
    .with_panel(lines("Success by service", Query(success(OUT, CALLED), "{{destination_service}}"), SHARE, top=1))
    .with_panel(lines("p95 by service", Query(quantile(0.95, DURATION, OUT, CALLED), "{{destination_service}}"), MILLISECONDS))
    .with_row(row("Agent and Envoy"))
    .with_panel(
        figure("Envoy runs", f"min(meshconsole_agent_envoy_running{{{MINE}}})", ONES, steps=((None, RED), (1, "green")), none="not scraped")
    )
    .with_panel(
        figure(
            "Console connected",
            f"min(meshconsole_agent_console_connected{{{MINE}}})",
            ONES,
            steps=((None, RED), (1, "green")),
            none="not scraped",
        )
    )
    .with_panel(figure("Metrics waiting", f"sum(meshconsole_agent_metrics_pending{{{MINE}}})", COUNT, none="not scraped"))
    .with_panel(lines("Envoy's memory", f"sum(envoy_server_memory_allocated{{{MINE}}})", BYTES, width=6))
    .with_panel(
        lines(
            "Requests under way",
            Query(
                f'sum by (envoy_http_conn_manager_prefix) (envoy_http_downstream_rq_active{{{MINE}, envoy_http_conn_manager_prefix!="admin"}})',
                "{{envoy_http_conn_manager_prefix}}",
            ),
            COUNT,
            width=6,
        )
    )
)
