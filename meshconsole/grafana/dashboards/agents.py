"""All agents and their Envoys: who is away, what waits, what they cost."""

from ..panels import BYTES, COUNT, ONES, RED, YELLOW, Query, figure, lines, rows
from .base import dashboard, row, variable

MINE = 'namespace=~"$namespace"'
NAME = "{{namespace}}/{{workload}}"
BY = "namespace, workload"

DASHBOARD = (
    dashboard("agents", "Agents", "All agents and their Envoys.")
    .with_variable(variable("namespace", "Namespace", "label_values(meshconsole_agent_envoy_running, namespace)"))
    .with_panel(figure("Agents", f"count(meshconsole_agent_envoy_running{{{MINE}}})", ONES, none="none scraped"))
    .with_panel(figure("Envoys down", f"count(meshconsole_agent_envoy_running{{{MINE}}} == 0) or vector(0)", ONES, steps=((1, RED),)))
    .with_panel(
        figure(
            "Without the console",
            f"count(meshconsole_agent_console_connected{{{MINE}}} == 0) or vector(0)",
            ONES,
            steps=((1, YELLOW),),
            help="They serve on as before, and keep their figures until the console is back.",
        )
    )
    .with_panel(figure("Batches waiting", f"sum(meshconsole_agent_metrics_pending{{{MINE}}})", ONES, steps=((100, YELLOW),)))
    .with_panel(
        figure(
            "Series beyond the limit",
            f"sum(meshconsole_agent_metrics_series_overflowed{{{MINE}}})",
            ONES,
            steps=((1, YELLOW),),
            help="Label sets that are counted together as `overflow`: see --metrics-series.",
        )
    )
    .with_panel(figure("Not scraped", 'count(up{job!="", workload!=""} == 0) or vector(0)', ONES, steps=((1, RED),)))
    .with_row(row("Agents"))
    .with_panel(
        lines("CPU", Query(f"sum by ({BY}) (rate(meshconsole_agent_cpu_seconds_total{{{MINE}}}[$__rate_interval]))", NAME), "percentunit")
    )
    .with_panel(lines("Memory, the most so far", Query(f"max by ({BY}) (meshconsole_agent_memory_max_bytes{{{MINE}}})", NAME), BYTES))
    .with_panel(lines("Series told apart", Query(f"max by ({BY}) (meshconsole_agent_metrics_series{{{MINE}}})", NAME), COUNT))
    .with_row(row("Envoys"))
    .with_panel(lines("Memory", Query(f"max by ({BY}) (envoy_server_memory_allocated{{{MINE}}})", NAME), BYTES))
    .with_panel(
        lines(
            "Connections",
            Query(f'sum by ({BY}) (envoy_http_downstream_cx_active{{{MINE}, envoy_http_conn_manager_prefix!="admin"}})', NAME),
            COUNT,
        )
    )
    .with_panel(lines("Up for", Query(f"max by ({BY}) (envoy_server_uptime{{{MINE}}})", NAME), "s"))
    .with_panel(
        rows(
            "All",
            [
                ("Envoy runs", f"max by ({BY}) (meshconsole_agent_envoy_running{{{MINE}}})", ONES),
                ("Connected", f"max by ({BY}) (meshconsole_agent_console_connected{{{MINE}}})", ONES),
                ("Batches waiting", f"max by ({BY}) (meshconsole_agent_metrics_pending{{{MINE}}})", ONES),
                ("Clusters", f"max by ({BY}) (envoy_cluster_manager_active_clusters{{{MINE}}})", ONES),
                ("Listeners", f"max by ({BY}) (envoy_listener_manager_total_listeners_active{{{MINE}}})", ONES),
            ],
            by=("namespace", "workload"),
        )
    )
)
