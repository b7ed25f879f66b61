"""The console: how fast changes reach proxies, what refuses them, and whether metrics, spans and tasks keep up."""

from ..panels import BYTES, COUNT, ONES, RED, SECONDS, YELLOW, Query, figure, lines
from .base import dashboard, row


def _quantiles(metric: str, *qs: float) -> list[Query]:
    return [Query(f"histogram_quantile({q}, sum by (le) (rate({metric}_bucket[$__rate_interval])))", f"p{round(q * 100)}") for q in qs]


def _rate(metric: str, by: str, legend: str) -> Query:
    return Query(f"sum by ({by}) (rate({metric}[$__rate_interval]))", legend)


DASHBOARD = (
    dashboard("control-plane", "Control plane", "The console itself: pushes, authority, ingest, tasks.")
    .with_panel(figure("Agents connected", "max(meshconsole_proxies_connected)", ONES, none="not scraped"))
    .with_panel(
        figure("Proxies that refuse", 'max(meshconsole_proxies{state="NACKED"}) or vector(0)', ONES, steps=((1, RED),), help="NACKED now.")
    )
    .with_panel(
        figure("On their way", "sum(meshconsole_push_queue_depth)", ONES, help="Proxies that have not answered the last change yet.")
    )
    .with_panel(
        figure("Push p95", _quantiles("meshconsole_push_seconds", 0.95)[0].promql, SECONDS, none="no change", help="Change to ACK.")
    )
    .with_panel(figure("Revision", "max(meshconsole_configuration_revision)", ONES))
    .with_panel(
        figure(
            "Root ends in",
            'min(meshconsole_ca_root_expiry_timestamp_seconds{state="active"}) - time()',
            SECONDS,
            steps=((None, RED), (30 * 86400, YELLOW), (90 * 86400, "green")),
            none="no root yet",
        )
    )
    .with_row(row("Configuration"))
    .with_panel(
        lines(
            "Change to ACK",
            _quantiles("meshconsole_push_seconds", 0.5, 0.95, 0.99),
            SECONDS,
            help="From the news of a change until a proxy has taken it.",
        )
    )
    .with_panel(lines("Answers to pushes", _rate("meshconsole_pushes_total", "result", "{{result}}"), COUNT, stack=True))
    .with_panel(lines("Refusals by type", _rate("meshconsole_push_nacks_total", "type", "{{type}}"), COUNT))
    .with_panel(lines("Compiling", _quantiles("meshconsole_compile_seconds", 0.5, 0.95), SECONDS))
    .with_panel(lines("Proxies by state", Query("max by (state) (meshconsole_proxies)", "{{state}}"), COUNT, stack=True))
    .with_panel(lines("Agents turned away", _rate("meshconsole_agents_refused_total", "code", "{{code}}"), COUNT))
    .with_row(row("Authority"))
    .with_panel(lines("Certificates issued", "sum(rate(meshconsole_certificates_issued_total[$__rate_interval]))", COUNT, width=12))
    .with_panel(
        lines(
            "Issuers end", Query("meshconsole_ca_issuer_expiry_timestamp_seconds - time()", "{{generation}} {{state}}"), SECONDS, width=12
        )
    )
    .with_row(row("What agents send"))
    .with_panel(lines("Batches of metrics", _rate("meshconsole_ingest_batches_total", "result", "{{result}}"), COUNT, stack=True))
    .with_panel(lines("Lag", _quantiles("meshconsole_ingest_lag_seconds", 0.5, 0.95), SECONDS, help="End of a batch until it is stored."))
    .with_panel(lines("Storing a batch", _quantiles("meshconsole_ingest_seconds", 0.5, 0.95), SECONDS))
    .with_panel(lines("Waiting", "sum(meshconsole_ingest_queue_depth)", COUNT, width=6))
    .with_panel(lines("Spans", "sum(rate(meshconsole_spans_total[$__rate_interval]))", COUNT, width=6))
    .with_panel(lines("Bytes of spans dropped", "sum(rate(meshconsole_span_bytes_dropped_total[$__rate_interval]))", BYTES, width=6))
    .with_panel(lines("Series kept", "max(meshconsole_store_series)", COUNT, width=6))
    .with_row(row("Background tasks"))
    .with_panel(lines("Tasks", _rate("meshconsole_tasks_total", "task, state", "{{task}} {{state}}"), COUNT))
    .with_panel(
        lines(
            "Duration, p95",
            Query("histogram_quantile(0.95, sum by (le, task) (rate(meshconsole_task_seconds_bucket[$__rate_interval])))", "{{task}}"),
            SECONDS,
        )
    )
    .with_panel(lines("Queue", "max(meshconsole_task_queue_length)", COUNT))
)
