"""`meshconsole ca`, `certificates` and `agents`, each command once, as an operator types them."""

import pytest
from cryptography import x509
from django.utils import timezone

from meshconsole.ca.models import Intermediate
from tests.ca.authorities import authority
from tests.ca.test_issuing import issue

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_rotation_is_begun_seen_forced_and_called_off(mesh):
    issue(now=timezone.now())
    assert "intermediate 2 is pending" in mesh("ca", "rotate").out
    said = mesh("ca", "status").out
    assert "0 of 1 proxies believe it" in said and "waits for default/r (away)" in said and "Meshconsole root 2" in said
    assert mesh("ca", "rotate").status == 1, "one at a time"
    assert "called off" in mesh("ca", "rotate", "--cancel").out
    mesh("ca", "rotate", "--intermediate")
    late = mesh("ca", "rotate", "--intermediate")
    assert late.status == 1 and "has not become active yet" in late.err
    assert mesh("ca", "rotate", "--force").out == "forced: 3\n"
    assert "intermediate 1 retires: 1 of its certificates are in use" in mesh("ca", "status").out


def test_waiting_for_who_is_away_ends_with_three_and_says_for_whom(mesh):
    issue(now=timezone.now())
    said = mesh("ca", "rotate", "--wait", "--timeout", "0.1")
    assert said.status == 3 and "waits for default/r (away)" in said.err


def test_an_authority_is_brought_or_refused_with_every_reason(mesh, file):
    now = timezone.now()
    root = authority("Root", now)
    middle = authority("Middle", now, root, path_length=0, crl=False, sign=False)
    refused = mesh("ca", "import", "--chain", file("c.pem", middle.pem + root.pem), "--key", file("k.pem", root.key_pem))
    assert refused.status == 1 and all(w in refused.err for w in ("keyCertSign", "cRLSign", "not the first certificate's"))
    assert mesh("ca", "import", "--chain", file("r.pem", root.pem), "--key", file("k.pem", root.key_pem)).status == 0
    assert "CN=Root" in mesh("ca", "status").out
    assert mesh("ca", "import", "--chain", "/nowhere", "--key", "/nowhere").status == 1


def test_an_offline_root_signs_the_request(mesh, file):
    now = timezone.now()
    csr = x509.load_pem_x509_csr(mesh("ca", "csr").out.encode())
    assert "waits for an offline root" in mesh("ca", "status").out
    root = authority("Offline", now)
    signed = authority("Mesh", now, root, public=csr.public_key(), path_length=0)
    assert mesh("ca", "adopt", "--chain", file("c.pem", signed.pem + root.pem)).status == 0
    assert Intermediate.objects.get(state="pending").root.source == "offline"


def test_the_bundle_is_printed_to_be_pinned_and_keys_are_sealed_anew(mesh):
    assert len(x509.load_pem_x509_certificates(mesh("ca", "bundle").out.encode())) == 1
    assert mesh("ca", "reencrypt").out == "0 keys sealed anew\n"


def test_certificates_are_listed_and_revoked_and_agents_evicted_and_readmitted(mesh):
    serial = issue(now=timezone.now()).serial
    issue(now=timezone.now(), proxy_id="default/other")
    assert serial in mesh("certificates", "list").out
    colons = ":".join(serial[i : i + 2] for i in range(0, len(serial), 2)).upper()
    assert mesh("ca", "revoke", colons, "--reason", "leaked").out == f"certificate {serial} of default/r revoked\n"
    assert mesh("ca", "revoke", serial).status == 1
    assert "1 certificates revoked" in mesh("agents", "evict", "default/other", "--reason", "gone").out
    assert "gone" in mesh("agents", "evicted").out
    assert mesh("agents", "readmit", "other").out == "default/other readmitted\n"
    assert mesh("agents", "evict", "nobody").status == 1
