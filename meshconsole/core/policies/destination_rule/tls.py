"""Client TLS as a DestinationRule says it: none, to a server's own certificate, with a client certificate, or the mesh's own."""

from meshconsole.core.envoy.draft import ClusterDraft, Json
from meshconsole.core.envoy.tls import UPSTREAM
from meshconsole.core.mesh.model import Port, Service

from .schema import ClientTls, TlsMode


def write(given: ClientTls, draft: ClusterDraft) -> None:
    """Automatic mTLS acts only where no tls is said."""
    draft.auto_mtls = False
    if given.mode is TlsMode.ISTIO_MUTUAL:
        draft.mtls_forced = True
        draft.sni = given.sni or draft.sni
    elif given.mode is not TlsMode.DISABLE:
        draft.tls = _context(given, draft)
        upstream: Json = {}
        if not given.sni:
            upstream["auto_sni"] = True  # the name that was called
            if _verifies(given) and not _names(given, draft):
                upstream["auto_san_validation"] = True  # and that name must be the certificate's
        if upstream:
            draft.http_options["upstream_http_protocol_options"] = upstream


def _context(given: ClientTls, draft: ClusterDraft) -> Json:
    assert isinstance(draft.port, Port)
    common: Json = {}
    if given.mode is TlsMode.MUTUAL:
        pair = {"certificate_chain": {"filename": given.client_certificate}, "private_key": {"filename": given.private_key}}
        common["tls_certificates"] = [pair]
    if _verifies(given):
        common["validation_context"] = _validation(given, _names(given, draft))
    speaks_http2 = draft.port.protocol.is_http2 or "http2_protocol_options" in draft.http_options.get("explicit_http_config", {})
    if speaks_http2 and "use_downstream_protocol_config" not in draft.http_options:
        common["alpn_protocols"] = ["h2"]
    return {"@type": UPSTREAM, "common_tls_context": common, **({"sni": given.sni} if given.sni else {})}


def _verifies(given: ClientTls) -> bool:
    """Without CA certificates a server's certificate is not verified (IST0128 tells the user), as in Istio."""
    return bool(given.ca_certificates) and not given.insecure_skip_verify


def _names(given: ClientTls, draft: ClusterDraft) -> list[str]:
    """Names of which the server must prove one: the rule's, else the ServiceEntry's."""
    assert isinstance(draft.service, Service)
    return given.subject_alt_names or list(draft.service.subject_alt_names)


def _validation(given: ClientTls, names: list[str]) -> Json:
    context: Json = {"trusted_ca": {"filename": given.ca_certificates}}
    if names:
        context["match_typed_subject_alt_names"] = [
            {"san_type": kind, "matcher": {"exact": name}} for name in names for kind in (("URI",) if "://" in name else ("DNS", "URI"))
        ]
    if given.ca_crl:
        context["crl"] = {"filename": given.ca_crl}
    return context
