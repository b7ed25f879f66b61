"""The addresses of the console's pages. Words of the field, stable ids: `/policies/virtualservices/default/reviews/`."""

from django.urls import path

from .views import certificates, changes, join, overview, palette, policies, proxies, services, session, settings, topology, workloads
from .views import policy as one

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("login/", session.SignIn.as_view(), name="login"),
    path("logout/", session.sign_out, name="logout"),
    path("topology/", topology.topology, name="topology"),
    path("services/", services.services, name="services"),
    path("services/<str:namespace>/<str:name>/", services.service, name="service"),
    path("workloads/", workloads.workloads, name="workloads"),
    path("workloads/<str:namespace>/<str:name>/", workloads.workload, name="workload"),
    path("proxies/", proxies.proxies, name="proxies"),
    path("proxies/<str:namespace>/<str:name>/", proxies.proxy, name="proxy"),
    path("policies/", policies.policies, name="policies"),
    path("policies/new/", policies.new, name="policy-new"),
    path("policies/check/", policies.check, name="policy-check"),
    path("policies/preview/", policies.preview, name="policy-preview"),
    path("policies/save/", policies.save, name="policy-save"),
    path("policies/<str:plural>/<str:namespace>/<str:name>/", one.policy, name="policy"),
    path("policies/<str:plural>/<str:namespace>/<str:name>/delete/", one.delete, name="policy-delete"),
    path("policies/<str:plural>/<str:namespace>/<str:name>/rollback/<int:revision>/", one.rollback, name="policy-rollback"),
    path("changes/", changes.changes, name="changes"),
    path("changes/<int:number>/", changes.change, name="change"),
    path("changes/<int:number>/rollback/", changes.rollback, name="change-rollback"),
    path("changes/<int:number>/programmed/", changes.programmed, name="programmed"),
    path("certificates/", certificates.certificates, name="certificates"),
    path("join/", join.join, name="join"),
    path("join/<int:token>/revoke/", join.revoke, name="join-revoke"),
    path("settings/", settings.settings, name="settings"),
    path("settings/tokens/<int:token>/revoke/", settings.revoke, name="token-revoke"),
    path("palette.json", palette.palette, name="palette"),
]
