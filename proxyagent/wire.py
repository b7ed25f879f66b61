"""
The few messages of delta ADS on the wire, read and written by hand.

The agent passes resources on as the bytes that the console serialised; it never looks inside. So it needs two
envelopes and one Secret of Envoy's API, some thirty fields in all, and spares the generated classes: they cost 5 MB
of memory in every agent and would copy each body twice. tests/agent/test_wire.py compares with the generated classes.

Field numbers: envoy/service/discovery/v3/discovery.proto, envoy/extensions/transport_sockets/tls/v3/{secret,common}.proto.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field


class Garbled(ValueError):
    """Bytes that are no protobuf message."""


@dataclass(frozen=True)
class DeltaRequest:
    """What we read of envoy.service.discovery.v3.DeltaDiscoveryRequest."""

    type_url: str
    subscribe: tuple[str, ...] = ()
    unsubscribe: tuple[str, ...] = ()
    initial_versions: dict[str, str] = field(default_factory=dict)
    nonce: str = ""
    error: str | None = None
    """Envoy's sentence when it refused the response with this nonce."""


@dataclass(frozen=True)
class DeltaResource:
    """A name with a body, or without one: then 'there is no such thing, stop waiting for these aliases'."""

    name: str
    version: str = ""
    body: bytes | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class DeltaResponse:
    type_url: str
    nonce: str
    resources: tuple[DeltaResource, ...] = ()
    removed: tuple[str, ...] = ()


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _bytes(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _text(number: int, value: str) -> bytes:
    return _bytes(number, value.encode()) if value else b""


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Garbled("a varint runs over the end")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The length-delimited fields of one message as (number, value); numbers and fixed-width fields are stepped over."""
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        kind = key & 7
        if kind == 0:
            _, at = _read_varint(data, at)
        elif kind == 2:
            size, at = _read_varint(data, at)
            if at + size > len(data):
                raise Garbled("a field runs over the end")
            yield key >> 3, data[at : at + size]
            at += size
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:
            raise Garbled(f"unknown wire type {kind}")


def read_request(data: bytes) -> DeltaRequest:
    """Raises Garbled. The node (field 1) is skipped: the socket's permissions say who speaks."""
    type_url = nonce = ""
    error: str | None = None
    subscribe: list[str] = []
    unsubscribe: list[str] = []
    versions: dict[str, str] = {}
    try:
        for number, value in fields(data):
            match number:
                case 2:
                    type_url = value.decode()
                case 3:
                    subscribe.append(value.decode())
                case 4:
                    unsubscribe.append(value.decode())
                case 5:
                    entry = dict(fields(value))
                    versions[entry.get(1, b"").decode()] = entry.get(2, b"").decode()
                case 6:
                    nonce = value.decode()
                case 7:
                    said = dict(fields(value)).get(2, b"").decode(errors="replace")
                    error = " ".join(said.split()) or "refused without a reason"
    except UnicodeDecodeError as e:
        raise Garbled(str(e)) from e
    return DeltaRequest(type_url, tuple(subscribe), tuple(unsubscribe), versions, nonce, error)


def _resource(type_url: str, resource: DeltaResource) -> bytes:
    parts = [_text(1, resource.version)]
    if resource.body is not None:
        parts.append(_bytes(2, _text(1, type_url) + (_bytes(2, resource.body) if resource.body else b"")))
    parts.append(_text(3, resource.name))
    parts.extend(_bytes(4, alias.encode()) for alias in resource.aliases)
    return b"".join(parts)


def write_response(response: DeltaResponse) -> bytes:
    """envoy.service.discovery.v3.DeltaDiscoveryResponse"""
    parts = [_bytes(2, _resource(response.type_url, r)) for r in response.resources]
    parts.append(_text(4, response.type_url))
    parts.append(_text(5, response.nonce))
    parts.extend(_bytes(6, name.encode()) for name in response.removed)
    return b"".join(parts)


def _inline(number: int, value: bytes) -> bytes:
    """A DataSource with inline_bytes."""
    return _bytes(number, _bytes(2, value))


def secret_with_certificate(name: str, chain: bytes, key: bytes) -> bytes:
    """A Secret with a TlsCertificate; both in PEM."""
    return _text(1, name) + _bytes(2, _inline(1, chain) + _inline(2, key))


def secret_with_bundle(name: str, bundle: bytes) -> bytes:
    """
    A Secret with the CertificateValidationContext that trusts this bundle: PEM of roots, and of CRLs if there are any.

    With CRLs, a leaf whose issuer has none in the bundle would be refused; for roots (an offline one cannot be asked for its CRL every
    time) that is not asked: only_verify_leaf_cert_crl.
    """
    roots, begin, crl = bundle.partition(_CRL)
    context = _inline(1, roots)
    if begin:
        context += _inline(7, begin + crl) + _varint(14 << 3) + _varint(1)
    return _text(1, name) + _bytes(4, context)


_CRL = b"-----BEGIN X509 CRL-----"
