from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("xds", "0003_taken")]

    operations = [migrations.AddField("proxyrecord", "unbound", models.JSONField(default=dict))]
