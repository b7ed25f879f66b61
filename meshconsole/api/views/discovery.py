"""What kubectl asks before anything else: which groups, versions and kinds there are, which namespaces, which version of the server."""

from django.conf import settings
from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from meshconsole.configstore import store
from meshconsole.discovery import registry

from .. import kinds, openapi
from ..view import Anyone, LoggedIn, View

VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
hidden = extend_schema(exclude=True)


@hidden
class Version(View):
    needs = {"GET": Anyone}

    def get(self, request: Request) -> Response:
        # The Kubernetes minor says which conventions we keep; kubectl compares it with its own.
        return Response(
            {
                "major": "1",
                "minor": "32",
                "gitVersion": f"v1.32.0+meshconsole.{settings.SPECTACULAR_SETTINGS['VERSION']}",
                "platform": "meshconsole",
            }
        )


@hidden
class Api(View):
    needs = {"GET": LoggedIn}

    def get(self, request: Request) -> Response:
        return Response({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})


@hidden
class ApiV1(View):
    needs = {"GET": LoggedIn}

    def get(self, request: Request) -> Response:
        return Response({
            "kind": "APIResourceList",
            "groupVersion": "v1",
            "resources": [
                {"name": "namespaces", "singularName": "namespace", "namespaced": False, "kind": "Namespace", "verbs": ["get", "list"], "shortNames": ["ns"]},
                *(
                    {"name": k.plural, "singularName": kinds.name(k).lower(), "namespaced": True, "kind": kinds.name(k), "verbs": VERBS,
                     "shortNames": list(k.short_names)}
                    for k in kinds.served("", "v1")
                ),
            ],
        })  # fmt: skip


@hidden
class Apis(View):
    needs = {"GET": LoggedIn}

    def get(self, request: Request) -> Response:
        return Response({"kind": "APIGroupList", "apiVersion": "v1", "groups": [group_versions(g) for g in sorted(kinds.groups()) if g]})


@hidden
class Group(View):
    needs = {"GET": LoggedIn}

    def get(self, request: Request, group: str) -> Response:
        if not group or group not in kinds.groups():
            raise Http404(f"there is no group {group}")
        return Response({"kind": "APIGroup", "apiVersion": "v1", **group_versions(group)})


@hidden
class GroupVersion(View):
    needs = {"GET": LoggedIn}

    def get(self, request: Request, group: str, version: str) -> Response:
        served = kinds.served(group, version)
        if not served:
            raise Http404(f"there is no {group}/{version}")
        resources = [
            {
                "name": k.plural,
                "singularName": kinds.name(k).lower(),
                "namespaced": True,
                "group": group,
                "version": version,
                "kind": kinds.name(k),
                "verbs": VERBS,
                "shortNames": list(k.short_names),
                "categories": ["all", "istio-io" if group.endswith("istio.io") else "meshconsole-io"],
            }
            for k in served
        ]
        return Response({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{group}/{version}", "resources": resources})


def group_versions(name: str) -> dict[str, object]:
    versions = [{"groupVersion": f"{name}/{v}", "version": v} for v in kinds.versions(name)]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def namespaces(view: View) -> list[str]:
    """Those that hold anything which the asker may see, and the two that always are. They need not be created."""
    found = {(r.kind, r.namespace) for r in store.list_()}
    seen = {n for kind, n in found if view.can("get", kind, n)}
    seen |= {w.namespace for w in registry.workloads() if view.can("get", "Workload", w.namespace)}
    return sorted(seen | {n for n in ("default", settings.ROOT_NAMESPACE) if view.can("get", "Workload", n)})


class NotCreated(APIException):
    status_code = 405
    default_detail = "Namespaces are not created or deleted here: one exists as soon as a resource or a workload is in it."


@hidden
class Namespaces(View):
    needs = {"GET": ("get", "Workload"), "POST": LoggedIn}

    def get(self, request: Request) -> Response:
        items = [_namespace(n) for n in namespaces(self)]
        return Response({"kind": "NamespaceList", "apiVersion": "v1", "metadata": {"resourceVersion": str(store.latest())}, "items": items})

    def post(self, request: Request) -> Response:
        raise NotCreated()


@hidden
class Namespace(View):
    needs = {"GET": ("get", "Workload"), "DELETE": LoggedIn}

    def get(self, request: Request, namespace: str) -> Response:
        if namespace not in namespaces(self):
            raise Http404(f'namespaces "{namespace}" not found')
        return Response({"kind": "Namespace", "apiVersion": "v1", **_namespace(namespace)})

    def delete(self, request: Request, namespace: str) -> Response:
        raise NotCreated()


def _namespace(name: str) -> dict[str, object]:
    return {"metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}}, "spec": {}, "status": {"phase": "Active"}}


@hidden
class OpenApiV2(View):
    needs = {"GET": LoggedIn}

    def get(self, request: Request) -> Response | HttpResponse:
        if "protobuf" in request.headers.get("Accept", ""):  # the only form in which client-go asks
            return HttpResponse(openapi.V2_PROTOBUF, content_type="application/com.github.proto-openapi.spec.v2.v1.0+protobuf")
        return Response(openapi.v2())


@hidden
class OpenApiV3(View):
    needs = {"GET": LoggedIn}

    def get(self, request: Request) -> Response:
        return Response(openapi.v3_index())


@hidden
class OpenApiV3Group(View):
    needs = {"GET": LoggedIn}

    def get(self, request: Request, group: str, version: str) -> Response:
        if not kinds.served(group, version):
            raise Http404(f"there is no {group}/{version}")
        return Response(openapi.v3(group, version))
