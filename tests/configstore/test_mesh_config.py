"""A stored MeshConfig holds for the whole mesh from its revision on."""

from meshconsole.discovery import mesh

TEXT = """
apiVersion: meshconsole.io/v1
kind: MeshConfig
metadata: {name: default, namespace: NAMESPACE}
spec:
  trustDomainAliases: [old-td]
  outboundTrafficPolicy: {mode: REGISTRY_ONLY}
  extensionProviders: [{name: a, envoyExtAuthzHttp: {service: authz.example.com, port: 80, timeout: 250ms}}]
"""


def test_the_snapshot_has_what_it_says(applied):
    mesh.forget()
    assert mesh.current().mesh.allow_any
    applied(TEXT.replace("NAMESPACE", "istio-system"))
    found = mesh.current().mesh
    assert (found.allow_any, found.trust_domain_aliases, found.authorizers[0].timeout) == (False, ("old-td",), "0.25s")


def test_one_of_another_namespace_says_nothing_and_its_author_is_told(applied):
    mesh.forget()
    (warning,) = applied(TEXT.replace("NAMESPACE", "default")).messages
    assert warning.code == "IST0167"
    assert mesh.current().mesh.allow_any
