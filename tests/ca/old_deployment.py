"""A deployment of before intermediates had rows of their own, migrated: run as a program on an empty database."""

import datetime

import django
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone


def main() -> None:
    django.setup()
    from meshconsole.ca import keystore, making

    call_command("migrate", "ca", "0001", verbosity=0)
    apps = MigrationExecutor(connection).loader.project_state([("ca", "0001_initial")]).apps
    now = timezone.now()
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = making.root(root_key, 1, "cluster.local", now)
    issuer = making.intermediate(key, 1, root, root_key, "cluster.local", now)
    old = apps.get_model("ca", "TrustRoot").objects.create(
        generation=1, state="active", certificate=making.pem(root), sealed_key=keystore.seal(root_key, "root 1"), issuer_certificate=making.pem(issuer),
        sealed_issuer_key=keystore.seal(key, "issuer"), created=now, not_after=root.not_valid_after_utc, issuer_not_after=issuer.not_valid_after_utc,
    )  # fmt: skip
    apps.get_model("ca", "Issued").objects.create(
        serial="ab", root=old, identity="spiffe://cluster.local/ns/default/sa/r", namespace="default", service_account="r", proxy_id="default/r",
        certificate="", created=now, not_before=now, not_after=now + datetime.timedelta(days=1), renew_at=now,
    )  # fmt: skip
    call_command("migrate", verbosity=0)

    from meshconsole.ca import authority, bundles
    from meshconsole.ca.models import Intermediate, Issued

    row = Intermediate.objects.get()
    assert (row.number, row.state, Issued.objects.get(serial="ab").issuer) == (1, "active", row)
    assert authority.active(now).certificate == issuer and authority.active(now).key.private_numbers() == key.private_numbers()
    assert bundles.newest(now).pem == making.pem(root), "proxies hold it already: nobody needs to be sent anything"

    from tests.ca.test_issuing import issue

    assert issue(now=now).chain.endswith(making.pem(issuer).encode())
    call_command("migrate", "ca", "0001", verbosity=0)
    back = apps.get_model("ca", "TrustRoot").objects.get()
    assert bytes(back.sealed_issuer_key) and back.issuer_certificate == making.pem(issuer)
    print("migrated")


main()
