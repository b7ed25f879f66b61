"""The certificate authority: where its rotation stands, its next steps, authorities from outside, and trust taken back."""

from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from meshconsole.accounts.permissions import EVERYWHERE, Verb
from meshconsole.agents import evicting
from meshconsole.ca import bringing, keystore, queries, revoking, transitions
from meshconsole.ca.models import Intermediate
from meshconsole.configstore.refusals import Conflict, Forbidden, because
from meshconsole.xds import rotating

from .. import content
from ..plain import plain
from ..view import View
from .trust import text_of

OBJECT = OpenApiTypes.OBJECT


def body(**fields: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"type": "object", "properties": fields}}


TEXT = {"type": "string"}


def sent(request: Request, *names: str) -> dict[str, Any]:
    said = content.mapping(request) if request.body else {}
    if unknown := set(said) - set(names):
        raise ParseError(f"unknown: {', '.join(sorted(unknown))}")
    return said


class MeshAdmin(View):
    """Only an admin of all namespaces has to do with what signs for all of them."""

    def demand(self, verb: Verb) -> None:
        if not self.can(verb, "TrustRoot", EVERYWHERE):
            who = self.request.user.get_username()
            raise Forbidden([because("MSH0403", None, f"{who} may not {verb} the mesh's authority: that takes an admin of all namespaces")])

    def begun(self, make: Any) -> Response:
        """The answer to a step that begins a rotation."""
        try:
            row: Intermediate = make(self.author(), timezone.now())
        except bringing.Unfit as e:
            raise ParseError("; ".join(e.reasons))
        except (transitions.Refused, keystore.Locked) as e:
            raise Conflict([because("MSH0409", None, str(e))])
        return Response({"number": row.number, "state": row.state, "request": row.request or None}, status=201)


class Authority(View):
    needs = {"GET": ("get", "Certificate")}

    @extend_schema(summary="The certificate authority: roots, intermediates, where a rotation stands, what ends soon", responses=OBJECT, tags=["trust"])  # fmt: skip
    def get(self, request: Request) -> Response:
        now, seen = timezone.now(), self.namespaces("Certificate")
        stands = rotating.standing(now)

        def visible(proxy_id: str) -> bool:
            return seen is None or proxy_id.split("/")[0] in seen

        rotation = {
            "pending": stands.pending.number if stands.pending else None,
            "proxies": len(stands.holders),
            "believing": len(stands.holders) - len(stands.waiting) if stands.pending else None,
            "waitingFor": [plain(h) for h in stands.waiting if visible(h.proxy_id)],
            "retiring": [
                {"number": row.number, "leaves": len(found), "proxies": [plain(x) for x in found if visible(x.proxy_id)][:100]}
                for row, found in stands.retiring
            ],
        }
        return Response(
            {
                "roots": plain(queries.roots()),
                "request": plain(queries.requested()),
                "rotation": rotation,
                "expiring": [plain(e) for e in queries.expiring(now, seen)],
                "bundle": queries.trust_bundle(now).decode(),
            }
        )


class Rotations(MeshAdmin):
    """A rotation: pending until every proxy believes it, then active, while the one before retires."""

    needs = {"POST": ("create", "TrustRoot"), "DELETE": ("delete", "TrustRoot")}

    @extend_schema(summary="Begin to rotate the root (or only the intermediate)", request=body(what={"enum": ["root", "intermediate"], "default": "root"}), responses=OBJECT, tags=["trust"])  # fmt: skip
    def post(self, request: Request) -> Response:
        self.demand(Verb.CREATE)
        what = text_of(sent(request, "what"), "what", "root")
        if what not in ("root", "intermediate"):
            raise ParseError("what: root or intermediate")
        return self.begun(transitions.rotate_root if what == "root" else transitions.rotate_intermediate)

    @extend_schema(summary="Call off the rotation that is pending", responses=OBJECT, tags=["trust"])
    def delete(self, request: Request) -> Response:
        self.demand(Verb.DELETE)
        try:
            return Response({"cancelled": transitions.cancel(self.author(), timezone.now())})
        except (transitions.Refused, keystore.Locked) as e:
            raise Conflict([because("MSH0409", None, str(e))])


class ForcedStep(MeshAdmin):
    needs = {"POST": ("update", "TrustRoot")}

    @extend_schema(summary="Take the rotation's next step without waiting for who is away", request=None, responses=OBJECT, tags=["trust"])
    def post(self, request: Request) -> Response:
        self.demand(Verb.UPDATE)
        try:
            done = rotating.force(self.author(), timezone.now())
        except keystore.Locked as e:
            raise Conflict([because("MSH0409", None, str(e))])
        if not done:
            raise Conflict([because("MSH0409", None, "no rotation is under way")])
        return Response({"forced": done})


class Import(MeshAdmin):
    needs = {"POST": ("create", "TrustRoot")}

    @extend_schema(summary="Bring an authority: its chain, down to the root, and its key", request=body(chain=TEXT, key=TEXT), responses=OBJECT, tags=["trust"])  # fmt: skip
    def post(self, request: Request) -> Response:
        self.demand(Verb.CREATE)
        said = sent(request, "chain", "key")
        chain, key = text_of(said, "chain", ""), text_of(said, "key", "")
        return self.begun(lambda author, now: bringing.bring(chain, key, author, now))


class SigningRequest(MeshAdmin):
    needs = {"POST": ("create", "TrustRoot")}

    @extend_schema(summary="A certificate request for an offline root to sign", request=None, responses=OBJECT, tags=["trust"])
    def post(self, request: Request) -> Response:
        self.demand(Verb.CREATE)
        return self.begun(bringing.ask)


class Adoption(MeshAdmin):
    needs = {"POST": ("create", "TrustRoot")}

    @extend_schema(summary="What the offline root made of the request: the chain down to the root", request=body(chain=TEXT), responses=OBJECT, tags=["trust"])  # fmt: skip
    def post(self, request: Request) -> Response:
        self.demand(Verb.CREATE)
        chain = text_of(sent(request, "chain"), "chain", "")
        return self.begun(lambda author, now: bringing.adopt(chain, author, now))


class Reencryption(MeshAdmin):
    needs = {"POST": ("update", "TrustRoot")}

    @extend_schema(summary="Seal the authority's keys with the first secret of the key ring", request=None, responses=OBJECT, tags=["trust"])  # fmt: skip
    def post(self, request: Request) -> Response:
        self.demand(Verb.UPDATE)
        try:
            return Response({"sealed": transitions.reencrypt(self.author())})
        except keystore.Locked as e:
            raise Conflict([because("MSH0409", None, str(e))])


class Revocation(View):
    """Its agent is cut and needs a new join token; its peers refuse it once they have the next bundle."""

    needs = {"POST": ("create", "Eviction")}

    @extend_schema(summary="Revoke a certificate", request=body(reason=TEXT), responses=OBJECT, tags=["trust"])
    def post(self, request: Request, serial: str) -> Response:
        reason = text_of(sent(request, "reason"), "reason", "")
        found = queries.certificate(serial.lower().lstrip("0"))
        if found is None or not self.can(Verb.CREATE, "Eviction", found.namespace):
            raise NotFound(f"there is no certificate {serial}")
        try:
            revoking.revoke(found.serial, self.author(), timezone.now(), reason)
        except revoking.Unknown as e:
            raise Conflict([because("MSH0409", None, str(e))])
        return Response({"revoked": found.serial, "proxy": found.proxy_id})


class Evictions(View):
    needs = {"GET": ("get", "Eviction"), "POST": ("create", "Eviction")}

    @extend_schema(summary="Workloads that may not come back", responses=OBJECT, tags=["trust"])
    def get(self, request: Request) -> Response:
        return Response({"items": plain(queries.evictions(self.within("Eviction")))})

    @extend_schema(
        summary="Evict a workload: cut it, revoke its certificates, take its endpoint out",
        request=body(
            namespace=TEXT, name=TEXT, reason=TEXT,
            tokens={"type": "boolean", "description": "also revoke the join tokens of its service account"},
        ),
        responses=OBJECT,
        tags=["trust"],
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        said = sent(request, "namespace", "name", "reason", "tokens")
        namespace, name = text_of(said, "namespace", "default"), text_of(said, "name", "")
        if not isinstance(tokens := said.get("tokens", False), bool):
            raise ParseError("tokens: true or false")
        if not self.can(Verb.CREATE, "Eviction", namespace):
            raise Forbidden([because("MSH0403", None, f"{request.user} may not evict workloads of namespace {namespace}")])
        try:
            count = evicting.evict(namespace, name, self.author(), timezone.now(), text_of(said, "reason", ""), tokens=tokens)
        except evicting.Unknown as e:
            raise NotFound(str(e))
        return Response({"evicted": f"{namespace}/{name}", "certificates": count}, status=201)


class Eviction(View):
    needs = {"DELETE": ("delete", "Eviction")}

    @extend_schema(summary="Readmit a workload: it may join again with a new token", responses=OBJECT, tags=["trust"])
    def delete(self, request: Request, namespace: str, name: str) -> Response:
        try:
            evicting.readmit(namespace, name, self.author())
        except evicting.Unknown as e:
            raise NotFound(str(e))
        return Response({"readmitted": f"{namespace}/{name}"})
