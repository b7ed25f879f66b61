from django.db import migrations

from meshconsole.accounts import appendonly


def guard(apps, schema_editor):
    appendonly.guard(schema_editor.connection)


def unguard(apps, schema_editor):
    appendonly.unguard(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_people")]
    operations = [migrations.RunPython(guard, unguard)]
