"""
grpc.health.v1.Health/Check, over plaintext HTTP/2. Its two messages have one field each, and are written and read here by hand
(field numbers: grpc/health/v1/health.proto), as wire.py does with Envoy's.
"""

from typing import Any

from grpclib.client import Channel, UnaryUnaryMethod
from grpclib.encoding.base import CodecBase
from grpclib.exceptions import GRPCError, StreamTerminatedError

from ..protocol import GrpcProbe

METHOD = "/grpc.health.v1.Health/Check"
STATUS = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
_SERVICE, _STATUS = b"\x0a", 0x08
"""Field 1 as a string, field 1 as a number."""


class _Codec(CodecBase):
    __content_subtype__ = "proto"

    def encode(self, message: Any, message_type: Any) -> bytes:
        return request(message)

    def decode(self, data: bytes, message_type: Any) -> str:
        return status(data)


def request(service: str) -> bytes:
    """HealthCheckRequest."""
    name = service.encode()
    size = bytes((len(name),)) if len(name) < 0x80 else bytes((len(name) & 0x7F | 0x80, len(name) >> 7))
    return _SERVICE + size + name if name else b""


def status(data: bytes) -> str:
    """The status of a HealthCheckResponse; 0, UNKNOWN, is not on the wire."""
    if not data:
        return STATUS[0]
    known = len(data) == 2 and data[0] == _STATUS and data[1] < len(STATUS)
    return STATUS[data[1]] if known else "an answer that is no HealthCheckResponse"


async def ask(how: GrpcProbe, host: str, port: int) -> str:
    channel = Channel(host, port, codec=_Codec())
    try:
        answer = await UnaryUnaryMethod(channel, METHOD, str, str)(how.service)
    except GRPCError as e:
        return f"{host}:{port} answered {e.status.name}{f': {e.message}' if e.message else ''}"
    except StreamTerminatedError as e:
        return f"{host}:{port}: {e}"
    finally:
        channel.close()
    return "" if answer == "SERVING" else f"{how.service or 'the server'} at {host}:{port} is {answer}"
