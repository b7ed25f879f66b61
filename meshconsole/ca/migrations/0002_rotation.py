"""Intermediates get rows of their own, so that they, and not only roots, can be rotated; bundles and evictions are kept."""

import django.db.models.deletion
from django.db import migrations, models

STATES = [("requested", "Requested"), ("pending", "Pending"), ("active", "Active"), ("retiring", "Retiring"), ("removed", "Removed")]


def split(apps, schema_editor):
    """Each root's issuer becomes an intermediate; every certificate was signed by its root's only one."""
    Root, Intermediate, Issued = (apps.get_model("ca", name) for name in ("TrustRoot", "Intermediate", "Issued"))
    for number, root in enumerate(Root.objects.order_by("generation"), 1):
        row = Intermediate.objects.create(
            number=number, root=root, state=root.state, certificate=root.issuer_certificate, sealed_key=bytes(root.sealed_issuer_key),
            created=root.created, not_after=root.issuer_not_after, activated=root.created if root.state == "active" else None,
        )  # fmt: skip
        Issued.objects.filter(root=root).update(issuer=row)


def join(apps, schema_editor):
    Root, Intermediate = (apps.get_model("ca", name) for name in ("TrustRoot", "Intermediate"))
    for root in Root.objects.all():
        row = Intermediate.objects.filter(root=root).order_by("-number").first()
        if row is None:
            root.delete()
            continue
        root.issuer_certificate, root.sealed_issuer_key, root.issuer_not_after = row.certificate, bytes(row.sealed_key), row.not_after
        root.save()


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("ca", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Bundle",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField(unique=True)),
                ("digest", models.CharField(db_index=True, max_length=32)),
                ("says", models.CharField(max_length=64)),
                ("pem", models.TextField()),
                ("created", models.DateTimeField()),
            ],
            options={"ordering": ["number"]},
        ),
        migrations.CreateModel(
            name="Eviction",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("proxy_id", models.CharField(max_length=320, unique=True)),
                ("namespace", models.CharField(db_index=True, max_length=63)),
                ("at", models.DateTimeField()),
                ("by", models.CharField(blank=True, max_length=150)),
                ("reason", models.CharField(blank=True, max_length=200)),
            ],
            options={"ordering": ["-at", "-pk"]},
        ),
        migrations.CreateModel(
            name="TrustHead",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="Intermediate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField(unique=True)),
                ("state", models.CharField(choices=STATES, max_length=10)),
                ("certificate", models.TextField(blank=True)),
                ("chain", models.TextField(blank=True)),
                ("request", models.TextField(blank=True)),
                ("sealed_key", models.BinaryField()),
                ("created", models.DateTimeField()),
                ("created_by", models.CharField(blank=True, max_length=150)),
                ("not_after", models.DateTimeField(null=True)),
                ("bundle", models.PositiveIntegerField(default=0)),
                ("activated", models.DateTimeField(null=True)),
                ("retired", models.DateTimeField(null=True)),
                ("removed", models.DateTimeField(null=True)),
                ("forced_by", models.CharField(blank=True, max_length=150)),
                (
                    "root",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="intermediates", to="ca.trustroot"
                    ),
                ),
            ],
            options={
                "ordering": ["number"],
                "constraints": [
                    models.UniqueConstraint(condition=models.Q(("state", "active")), fields=("state",), name="one_active_intermediate"),
                    models.UniqueConstraint(condition=models.Q(("state", "pending")), fields=("state",), name="one_pending_intermediate"),
                ],
            },
        ),
        migrations.AddField("issued", "given_back", models.DateTimeField(null=True)),
        migrations.AddField(
            "issued",
            "issuer",
            models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="issued", to="ca.intermediate"),
        ),
        migrations.AddField("trustroot", "source", models.CharField(default="own", max_length=10)),
        migrations.AlterField("trustroot", "state", models.CharField(choices=STATES, max_length=10)),
        migrations.AlterField("trustroot", "issuer_certificate", models.TextField(default="")),
        migrations.AlterField("trustroot", "sealed_issuer_key", models.BinaryField(default=b"")),
        migrations.AlterField("trustroot", "issuer_not_after", models.DateTimeField(null=True)),
        migrations.RunPython(split, join),
        migrations.AlterField(
            "issued",
            "issuer",
            models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="issued", to="ca.intermediate"),
        ),
        migrations.RemoveField("trustroot", "issuer_certificate"),
        migrations.RemoveField("trustroot", "issuer_not_after"),
        migrations.RemoveField("trustroot", "sealed_issuer_key"),
    ]
