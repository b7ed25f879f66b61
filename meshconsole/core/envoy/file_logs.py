"""Access logs that stay on the proxy's host: lines of text or JSON, on Envoy's standard output (the agent's log) or in a file."""

from functools import cache

from .access_logs import selected
from .draft import Json
from .filling import Once
from .reporting import FileLog
from .vocabulary import typed

TEXT = (
    '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% '
    '%CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% '
    '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" '
    '"%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% '
    "%REQUESTED_SERVER_NAME% %ROUTE_NAME%\n"
)
"""Istio's default format (EnvoyTextLogFormat)."""
LABELS = tuple(
    {
        "start_time": "%START_TIME%", "route_name": "%ROUTE_NAME%", "method": "%REQ(:METHOD)%", "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
        "protocol": "%PROTOCOL%", "response_code": "%RESPONSE_CODE%", "response_flags": "%RESPONSE_FLAGS%",
        "response_code_details": "%RESPONSE_CODE_DETAILS%", "connection_termination_details": "%CONNECTION_TERMINATION_DETAILS%",
        "bytes_received": "%BYTES_RECEIVED%", "bytes_sent": "%BYTES_SENT%", "duration": "%DURATION%",
        "upstream_service_time": "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%", "x_forwarded_for": "%REQ(X-FORWARDED-FOR)%",
        "user_agent": "%REQ(USER-AGENT)%", "request_id": "%REQ(X-REQUEST-ID)%", "authority": "%REQ(:AUTHORITY)%", "upstream_host": "%UPSTREAM_HOST%",
        "upstream_cluster": "%UPSTREAM_CLUSTER_RAW%", "upstream_local_address": "%UPSTREAM_LOCAL_ADDRESS%",
        "downstream_local_address": "%DOWNSTREAM_LOCAL_ADDRESS%", "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS%",
        "requested_server_name": "%REQUESTED_SERVER_NAME%", "upstream_transport_failure_reason": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
    }.items()
)  # fmt: skip
"""Istio's default JSON."""
_STREAMS = {"/dev/stdout": "Stdout", "/dev/stderr": "Stderr"}


def loggers(logs: tuple[FileLog, ...]) -> list[Json]:
    return [_logger(log) for log in logs]


@cache
def _logger(log: FileLog) -> Json:
    form: Json = {"json_format": dict(log.labels)} if log.labels else {"text_format_source": {"inline_string": log.text or TEXT}}
    if log.omit_empty:
        form["omit_empty_values"] = True
    if stream := _STREAMS.get(log.path):  # opening them as files fails where they are sockets, as under systemd
        made = typed(f"envoy.access_loggers.{stream.lower()}", f"extensions.access_loggers.stream.v3.{stream}AccessLog", log_format=form)
    else:
        made = typed("envoy.access_loggers.file", "extensions.access_loggers.file.v3.FileAccessLog", path=log.path, log_format=form)
    made = {**made, "typed_config": Once(made["typed_config"])}
    return {**made, "filter": selected(log.expression)} if log.expression else made
