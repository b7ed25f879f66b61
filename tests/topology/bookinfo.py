"""Bookinfo as the topology sees it: services, workloads and a minute of traffic."""

from meshconsole.core.mesh.model import Endpoint, Location, Port, Protocol, ProxyKind, Resolution, Service, Workload, WorkloadPort
from meshconsole.topology.build import Known, Period
from meshconsole.topology.graph import Badge, Instance, PolicyName
from telemetry.edges import Edge, Peer, Response
from telemetry.histogram import observe

DOMAIN = "svc.cluster.local"
APPS = {"productpage": ("v1",), "details": ("v1",), "reviews": ("v1", "v2", "v3"), "ratings": ("v1",)}
PERIOD = Period(60, "2026-08-05T10:00:00Z", "2026-08-05T10:01:00Z")


def host(name: str, namespace: str = "default") -> str:
    return f"{name}.{namespace}.{DOMAIN}"


def workload(app: str, version: str, **more) -> Workload:
    return Workload(
        "default",
        f"{app}-{version}",
        service_account=f"bookinfo-{app}",
        labels={"app": app, "version": version},
        services=(app,),
        ports=(WorkloadPort(9080, "http", Protocol.HTTP),),
        **more,
    )


def service(name: str) -> Service:
    return Service(host(name), "default", name, (Port(9080, "http", Protocol.HTTP),))


GATEWAY = Workload(
    "default", "ingressgateway", ProxyKind.GATEWAY, "ingressgateway", labels={"app": "ingressgateway", "istio": "ingressgateway"}
)
WORKLOADS = (*(workload(app, version) for app, versions in APPS.items() for version in versions), GATEWAY)
EXTERNAL = Service(
    "api.example.com",
    "default",
    "api.example.com",
    (Port(443, "https", Protocol.HTTPS),),
    (Endpoint("api.example.com"),),
    Resolution.DNS,
    Location.MESH_EXTERNAL,
)
SERVICES = (*(service(app) for app in APPS), EXTERNAL)


def peer(name: str) -> Peer:
    if name == "unknown":
        return Peer("unknown", "", "", "", "", "latest")
    if name == "ingressgateway":
        return Peer(name, "default", name, "", name, "latest")
    app, version = name.rsplit("-", 1)
    return Peer(name, "default", app, version, app, version)


def principal(name: str) -> tuple[str, ...]:
    if name == "unknown":
        return ()
    account = name if name == "ingressgateway" else f"bookinfo-{peer(name).app}"
    return (f"spiffe://cluster.local/ns/default/sa/{account}",)


def edge(source: str, destination: str, requests: int, service: str = "", milliseconds: float = 7.0, **more) -> Edge:
    """A minute of calls by one workload to another, all answered 200 unless `responses` says otherwise."""
    asked = service or peer(destination).app
    fields = {
        "source": peer(source),
        "destination": peer(destination),
        "service": host(asked),
        "service_name": asked,
        "service_namespace": "default",
        "protocol": "http",
        "reporter": "source",
        "seconds": 60.0,
        "requests": requests,
        "responses": (Response("200", "", "-", requests),),
        "buckets": observe([milliseconds] * requests),
        "duration": milliseconds * requests,
        "request_bytes": 300 * requests,
        "response_bytes": 1200 * requests,
        "mtls": requests,
        "secured": requests,
        "source_principals": principal(source),
        "destination_principals": principal(destination),
    }
    return Edge(**(fields | more))


TRAFFIC = (
    edge("ingressgateway", "productpage-v1", 600, milliseconds=40.0),
    edge("productpage-v1", "details-v1", 600, milliseconds=3.0),
    edge("productpage-v1", "reviews-v1", 540, milliseconds=4.0),
    edge("productpage-v1", "reviews-v2", 60, milliseconds=20.0, responses=(Response("200", "", "-", 58), Response("503", "", "UF", 2))),
    edge("reviews-v2", "ratings-v1", 54),
    edge(
        "reviews-v2",
        "unknown",
        6,
        "ratings",
        0.2,
        responses=(Response("500", "", "FI", 6),),
        mtls=None,
        secured=0,
    ),
)

BADGES = {
    f"service:{host('reviews')}": (
        Badge("routing", (PolicyName("VirtualService", "default", "reviews"),)),
        Badge("shifting", (PolicyName("VirtualService", "default", "reviews"),)),
    ),
    f"service:{host('ratings')}": (Badge("fault", (PolicyName("VirtualService", "default", "ratings"),)),),
    "workload:default/ingressgateway": (Badge("gateway", (PolicyName("Gateway", "default", "bookinfo-gateway"),)),),
    "service:api.example.com": (Badge("serviceEntry", (PolicyName("ServiceEntry", "default", "example-api"),)),),
}
INSTANCES = {w.id: Instance(w.id, "SYNCED", True) for w in WORKLOADS}
KNOWN = Known(SERVICES, WORKLOADS, INSTANCES, BADGES)
