"""
The topology graph as the browser gets it: values only. `build.py` makes it, `diff.py` compares two.

JSON (camelCase; every field of every element is always present, `null` where it does not apply; lists are sorted; numbers are rounded
to 4 significant digits; all shares are 0..1, rates per second over the window, times in milliseconds):

    Graph
      kind        "workload" | "versionedApp" | "app" | "service"
      window      seconds looked at, 60 .. 2592000
      start, end  RFC 3339 UTC: the window [start, end)
      namespaces  ["default"], the ones asked for; null: all that one may view
      nodes       [Node]   sorted by id
      edges       [Edge]   sorted by id
      boxes       [Box]    sorted by id; the outer ones are namespaces, inside them apps (only kind versionedApp, only where an app has
                           two versions or more)
      totals      {"rate", "errorShare", "mtlsShare" | null, "tcpBytes"} of all edges together
      proxies     {"total", "synced", "stale", "nacked", "disconnected"} in view

    Box
      id          "namespace:default" | "box:default/reviews"
      kind        "namespace" | "app"
      name        "default" | "reviews"
      parent      id of the box around it, null for namespaces
      health      Health, the worst inside

    Node
      id          "workload:default/reviews-v2" | "version:default/reviews/v2" | "app:default/reviews" | "service:default/reviews" |
                  "service:/api.example.com" (external) | "service:/PassthroughCluster" | "unknown:default" | "unknown:"
      kind        "workload" | "version" | "app" | "service" | "unknown"      what this node is (a graph of workloads may hold service nodes:
                  requests that never reached a workload (injected faults, no healthy upstream, 404) end at their service)
      label       what to write below it: "reviews v2"
      parent      id of its box, null outside of all boxes (unknown, external)
      namespace   "default" | ""
      name        "reviews-v2" (workload), "reviews" (app, version, service)
      app         "reviews" | ""
      version     "v2" | ""
      workloads   ["reviews-v2"]                       workloads behind it, names in its namespace
      services    ["reviews.default.svc.cluster.local"]  hosts that it serves or is
      flags       sorted subset of
                    "gateway"      ingress or egress gateway
                    "external"     outside of the mesh (ServiceEntry, passthrough)
                    "unknown"      callers without a name
                    "idle"         known, no traffic in the window
                    "noSidecar"    a workload that traffic reaches and that has no proxy of ours
                    "outOfSync"    a proxy of it is STALE or NACKED
                    "disconnected" an agent of it is away
                    "unhealthy"    an instance fails its health check
                    "mtls"         all its inbound traffic was mutual TLS
                    "plaintext"    some of its inbound traffic was not
                    "root"         nothing calls it (traffic starts here)
                    "outside"      in a namespace that was not asked for: shown as a neighbour, without instances and badges
                    "passthrough"  PassthroughCluster or BlackHoleCluster: a host nobody declared
      badges      [Badge] sorted by kind
      health      Health
      inbound     Rates   what came in, all edges
      outbound    Rates   what went out
      instances   [Instance] one per proxy, sorted by id; [] for services, external and unknown

    Badge
      kind        "routing" | "shifting" | "fault" | "mirror" | "timeout" | "retry" | "circuitBreaker" | "authorization" | "mtls" |
                  "gateway" | "serviceEntry" | "loadBalancing"
      policies    [{"kind": "VirtualService", "namespace": "default", "name": "reviews"}]   which say so, oldest first

    Health
      status      "failure" | "degraded" | "notReady" | "healthy" | "none" (no traffic, nothing known)
      reasons     ["5XX 12.5 % of 800 inbound requests (failure from 10 %)"] worst first, [] when healthy

    Rates
      rate        requests/s (http and grpc)
      errorShare  share of requests that failed (4xx, 5xx, no response; for gRPC any status but 0)
      errors4xx, errors5xx   their shares of the requests; 5xx holds "no response" and gRPC failures
      received, sent         bytes/s, all protocols, as seen from the callee: `received` is what requests carried

    Instance
      id          proxy id "default/reviews-v2"
      sync        "SYNCED" | "STALE" | "NACKED" | "NEVER_CONNECTED" | "UNKNOWN"
      connected   true | false
      healthy     true | false: its application's own health check
      error       "" | Envoy's sentence of the NACK

    Edge
      id          "<source id>→<target id>→<protocol>"
      source, target   node ids
      protocol    "http" | "grpc" | "tcp"
      services    [hosts]  that were asked for
      rate        requests/s; for tcp connections opened/s
      requests    number in the window (tcp: connections)
      share       of all requests (tcp: bytes) that leave the source: the traffic distribution
      errorShare, errors4xx, errors5xx   as in Rates
      codes       {"200": 512, "503": 9}          by HTTP code; "-" when there was no response
      flags       {"UH": 9}                       by Envoy response flag, "-" left out
      grpc        {"0": 500, "14": 3}             by gRPC status, {} for http
      p50, p95, p99, mean   milliseconds; null without data
      requestBytes, responseBytes   bytes/s (tcp: sent by the source, received by the source)
      mtlsShare   0..1; null when nobody knows
      sourcePrincipals, targetPrincipals   ["spiffe://…"]
      reporter    "source" | "destination": whose figures these are
      health      Health

    Diff  (what `diff.py` gives; apply in the order remove, add, change)
      start, end, window, kind, namespaces, totals, proxies    as in Graph, always present
      nodes, edges, boxes   {"add": [whole elements], "change": [{"id": …, only fields that changed}], "remove": [ids]}

WebSocket /ws/topology (text frames, JSON). Browser to console:

    {"subscribe": {"window": 60, "kind": "versionedApp", "namespaces": ["default"] | null, "at": "2026-08-05T10:00:00Z" | null, "idle": true}}
        every field may be left out (60, "versionedApp", null, null, true); a second subscribe replaces the first; with `at` (the end of the
        window, in the past) one graph is sent and no diffs follow
    {"unsubscribe": true}

Console to browser:

    {"graph": Graph}          after each subscribe
    {"diff": Diff}            every 2 s while subscribed (also when nothing moved: lists empty)
    {"unsubscribed": true}
    {"error": {"message": "…"}}   the subscription as it was stays in force

Close code 4401: not logged in.
"""

from typing import Literal

import msgspec

GraphKind = Literal["workload", "versionedApp", "app", "service"]
KINDS: tuple[GraphKind, ...] = ("workload", "versionedApp", "app", "service")
NodeKind = Literal["workload", "version", "app", "service", "unknown"]
Status = Literal["failure", "degraded", "notReady", "healthy", "none"]


class Element(msgspec.Struct, frozen=True, rename="camel"):
    """The base of all that is drawn."""


class Health(Element, frozen=True):
    status: Status = "none"
    reasons: tuple[str, ...] = ()


class PolicyName(Element, frozen=True):
    kind: str
    namespace: str
    name: str


class Badge(Element, frozen=True):
    kind: str
    policies: tuple[PolicyName, ...] = ()


class Rates(Element, frozen=True):
    rate: float = 0.0
    error_share: float = 0.0
    errors4xx: float = msgspec.field(name="errors4xx", default=0.0)
    errors5xx: float = msgspec.field(name="errors5xx", default=0.0)
    received: float = 0.0
    sent: float = 0.0


class Instance(Element, frozen=True):
    id: str
    sync: str = "UNKNOWN"
    connected: bool = False
    healthy: bool = True
    error: str = ""


class Node(Element, frozen=True):
    id: str
    kind: NodeKind
    label: str
    parent: str | None
    namespace: str
    name: str
    app: str = ""
    version: str = ""
    workloads: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    badges: tuple[Badge, ...] = ()
    health: Health = Health()
    inbound: Rates = Rates()
    outbound: Rates = Rates()
    instances: tuple[Instance, ...] = ()


class Edge(Element, frozen=True):
    id: str
    source: str
    target: str
    protocol: str
    services: tuple[str, ...] = ()
    rate: float = 0.0
    requests: int = 0
    share: float = 0.0
    error_share: float = 0.0
    errors4xx: float = msgspec.field(name="errors4xx", default=0.0)
    errors5xx: float = msgspec.field(name="errors5xx", default=0.0)
    codes: dict[str, int] = {}
    flags: dict[str, int] = {}
    grpc: dict[str, int] = {}
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    mean: float | None = None
    request_bytes: float = 0.0
    response_bytes: float = 0.0
    mtls_share: float | None = None
    source_principals: tuple[str, ...] = ()
    target_principals: tuple[str, ...] = ()
    reporter: str = "source"
    health: Health = Health()


class Box(Element, frozen=True):
    id: str
    kind: Literal["namespace", "app"]
    name: str
    parent: str | None = None
    health: Health = Health()


class Totals(Element, frozen=True):
    rate: float = 0.0
    error_share: float = 0.0
    mtls_share: float | None = None
    tcp_bytes: float = 0.0


class Proxies(Element, frozen=True):
    total: int = 0
    synced: int = 0
    stale: int = 0
    nacked: int = 0
    disconnected: int = 0


class Graph(Element, frozen=True):
    kind: GraphKind
    window: int
    start: str
    end: str
    namespaces: tuple[str, ...] | None = None
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    boxes: tuple[Box, ...] = ()
    totals: Totals = Totals()
    proxies: Proxies = Proxies()
