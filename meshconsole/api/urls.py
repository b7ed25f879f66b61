"""Every REST path. Kubernetes' own, ours below /api/v1, and those for machines."""

from django.urls import path, re_path
from drf_spectacular.views import SpectacularJSONAPIView

from .views import alerts, changes, discovery, docs, machines, mesh, resources, revisions, traces, trust

one = "apis/<str:group>/<str:version>/namespaces/<str:namespace>/<str:plural>"

SECRETS = {"group": "", "version": "v1", "plural": "secrets"}
"""The one kind of Kubernetes' core group, whose paths have no group in them."""

urlpatterns = [
    path("healthz", machines.Healthz.as_view()),
    path("readyz", machines.Readyz.as_view()),
    path("metrics", machines.Metrics.as_view()),
    path("sd/prometheus", machines.PrometheusTargets.as_view()),
    path("api/schema/", SpectacularJSONAPIView.as_view(), name="api-schema"),
    path("api/docs/", docs.Docs.as_view(), name="api-docs"),
    # ours
    path("api/v1/apply", changes.Apply.as_view()),
    path("api/v1/delete", changes.Delete.as_view()),
    path("api/v1/diff", changes.Diff.as_view()),
    path("api/v1/analyze", changes.Analyze.as_view()),
    path("api/v1/resources", changes.Resources.as_view()),
    path("api/v1/schemas", changes.Schemas.as_view()),
    path("api/v1/schemas/<str:kind>", changes.Schema.as_view()),
    path("api/v1/revisions", revisions.Revisions.as_view()),
    path("api/v1/revisions/<int:number>", revisions.Revision.as_view()),
    path("api/v1/revisions/<int:number>/status", revisions.RevisionStatus.as_view()),
    path("api/v1/revisions/<int:number>/rollback", revisions.RollbackRevision.as_view()),
    path("api/v1/revisions/<int:number>/restore", revisions.RestoreRevision.as_view()),
    path("api/v1/rollback", revisions.Rollback.as_view()),
    path("api/v1/history", revisions.History.as_view()),
    path("api/v1/proxies", mesh.Proxies.as_view()),
    path("api/v1/proxies/<str:namespace>/<str:name>", mesh.Proxy.as_view()),
    path("api/v1/proxies/<str:namespace>/<str:name>/config", mesh.ProxyConfig.as_view()),
    path("api/v1/services", mesh.Services.as_view()),
    path("api/v1/workloads", mesh.Workloads.as_view()),
    path("api/v1/topology", mesh.Topology.as_view()),
    path("api/v1/metrics", mesh.Metrics.as_view()),
    path("api/v1/traces", traces.Traces.as_view()),
    path("api/v1/traces/<str:id>", traces.Trace.as_view()),
    path("v1/traces", traces.Otlp.as_view()),
    path("api/v1/certificates", trust.Certificates.as_view()),
    path("api/v1/join-tokens", trust.JoinTokens.as_view()),
    path("api/v1/join-tokens/<int:id>", trust.JoinToken.as_view()),
    path("api/v1/tokens", trust.Tokens.as_view()),
    path("api/v1/tokens/<int:id>", trust.Token.as_view()),
    path("api/v1/audit", trust.Audit.as_view()),
    path("api/v1/alerts", alerts.Alerts.as_view()),
    path("api/v1/alerts/<int:id>", alerts.OneAlert.as_view()),
    path("api/v1/alerts/<int:id>/acknowledge", alerts.Acknowledge.as_view()),
    path("api/v1/alerts/<int:id>/silence", alerts.SilenceOne.as_view()),
    path("api/v1/silences", alerts.Silences.as_view()),
    path("api/v1/silences/<int:id>", alerts.Silence.as_view()),
    path("api/v1/alert-rules", alerts.AlertRules.as_view()),
    path("api/v1/alert-rules/prometheus", alerts.PrometheusRules.as_view()),
    path("api/v1/slos", alerts.Objectives.as_view()),
    path("api/v1/notifiers", alerts.Notifiers.as_view()),
    path("api/v1/notifiers/<str:namespace>/<str:name>/secret", alerts.NotifierSecret.as_view()),
    path("api/v1/notifiers/<str:namespace>/<str:name>/test", alerts.NotifierTest.as_view()),
    path("api/v1/deliveries/<int:id>/retry", alerts.Retry.as_view()),
    # Kubernetes'
    path("version", discovery.Version.as_view()),
    path("api", discovery.Api.as_view()),
    path("api/v1", discovery.ApiV1.as_view()),
    path("api/v1/secrets", resources.Many.as_view(), SECRETS),
    path("api/v1/namespaces/<str:namespace>/secrets", resources.Many.as_view(), SECRETS),
    path("api/v1/namespaces/<str:namespace>/secrets/<str:name>", resources.One.as_view(), SECRETS),
    path("api/v1/namespaces", discovery.Namespaces.as_view()),
    path("api/v1/namespaces/<str:namespace>", discovery.Namespace.as_view()),
    path("apis", discovery.Apis.as_view()),
    path("apis/<str:group>", discovery.Group.as_view()),
    path("apis/<str:group>/<str:version>", discovery.GroupVersion.as_view()),
    path("apis/<str:group>/<str:version>/<str:plural>", resources.Many.as_view()),
    path(one, resources.Many.as_view()),
    path(f"{one}/<str:name>", resources.One.as_view()),
    path("openapi/v2", discovery.OpenApiV2.as_view()),
    path("openapi/v3", discovery.OpenApiV3.as_view()),
    path("openapi/v3/api/v1", discovery.OpenApiV3Group.as_view(), {"group": "", "version": "v1"}),
    path("openapi/v3/apis/<str:group>/<str:version>", discovery.OpenApiV3Group.as_view()),
    re_path(r"^(?:apis?|openapi|sd)/(?P<path>.*)$", machines.Nothing.as_view()),
]
