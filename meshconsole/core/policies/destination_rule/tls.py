"""Client TLS as a DestinationRule says it: none, to a server's own certificate, with a client certificate, or the mesh's own."""

from meshconsole.core.envoy.draft import CREDENTIAL, ClusterDraft, Json
from meshconsole.core.envoy.tls import UPSTREAM, secret
from meshconsole.core.mesh import hosts
from meshconsole.core.mesh.model import Port, Service

from .schema import ClientTls, TlsMode


def write(given: ClientTls, draft: ClusterDraft, *, credentials: bool = False) -> None:
    """Automatic mTLS acts only where no tls is said."""
    draft.auto_mtls = False
    if given.mode is TlsMode.ISTIO_MUTUAL:
        draft.mtls_forced = True
        draft.sni = given.sni or draft.sni
    elif given.mode is not TlsMode.DISABLE:
        draft.tls = _context(given, draft, credentials=credentials)
        upstream: Json = {}
        if not given.sni:
            upstream["auto_sni"] = True  # the name that was called, where that is known: by a request's Host
            if _verifies(given, credentials) and not _names(given, draft):
                upstream["auto_san_validation"] = True  # and that name must be the certificate's
        if upstream:
            draft.http_options["upstream_http_protocol_options"] = upstream


def _context(given: ClientTls, draft: ClusterDraft, *, credentials: bool) -> Json:
    assert isinstance(draft.port, Port)
    common: Json = {}
    if given.credential_name:
        if credentials:
            common.update(_by_credential(given, draft))
    elif given.mode is TlsMode.MUTUAL:
        pair = {"certificate_chain": {"filename": given.client_certificate}, "private_key": {"filename": given.private_key}}
        common["tls_certificates"] = [pair]
    if _verifies(given, credentials) and not given.credential_name:
        common["validation_context"] = _validation(given, _names(given, draft))
    speaks_http2 = draft.port.protocol.is_http2 or "http2_protocol_options" in draft.http_options.get("explicit_http_config", {})
    if speaks_http2 and "use_downstream_protocol_config" not in draft.http_options:
        common["alpn_protocols"] = ["h2"]
    sni = given.sni or (_own_name(draft) if _opaque(draft) else "")
    return {"@type": UPSTREAM, "common_tls_context": common, **({"sni": sni} if sni else {})}


def _opaque(draft: ClusterDraft) -> bool:
    """Nobody says, connection by connection, which name is called: it is the service's own."""
    return isinstance(draft.port, Port) and draft.port.protocol.is_opaque


def _own_name(draft: ClusterDraft) -> str:
    host = draft.service.host if isinstance(draft.service, Service) else ""
    return "" if hosts.is_wildcard(host) or hosts.is_address(host) else host


def _by_credential(given: ClientTls, draft: ClusterDraft) -> Json:
    """Its own pair (MUTUAL) and the servers' authorities from a Secret, as a Gateway names them (Istio: ApplyCustomSDSToClientCommonTLSContext)."""
    found: Json = {}
    name = CREDENTIAL.scheme + given.credential_name
    if given.mode is TlsMode.MUTUAL:
        draft.credentials[name] = None
        found["tls_certificate_sds_secret_configs"] = [secret(name)]
    if not given.insecure_skip_verify:
        roots = name + CREDENTIAL.authorities
        draft.credentials[roots] = None
        found["combined_validation_context"] = {
            "default_validation_context": _sans(_names(given, draft)),
            "validation_context_sds_secret_config": secret(roots),
        }
    return found


def _verifies(given: ClientTls, credentials: bool) -> bool:
    """Without CA certificates a server's certificate is not verified (IST0128 tells the user), as in Istio."""
    known = credentials if given.credential_name else bool(given.ca_certificates)
    return known and not given.insecure_skip_verify


def _names(given: ClientTls, draft: ClusterDraft) -> list[str]:
    """Names of which the server must prove one: the rule's, else the ServiceEntry's."""
    assert isinstance(draft.service, Service)
    names = given.subject_alt_names or list(draft.service.subject_alt_names)
    return names or [name for name in (given.sni, _own_name(draft)) if name][:1] if _opaque(draft) else names


def _validation(given: ClientTls, names: list[str]) -> Json:
    context: Json = {"trusted_ca": {"filename": given.ca_certificates}, **_sans(names)}
    if given.ca_crl:
        context["crl"] = {"filename": given.ca_crl}
    return context


def _sans(names: list[str]) -> Json:
    kinds = [(kind, name) for name in names for kind in (("URI",) if "://" in name else ("DNS", "URI"))]
    return {"match_typed_subject_alt_names": [{"san_type": kind, "matcher": {"exact": name}} for kind, name in kinds]} if names else {}
