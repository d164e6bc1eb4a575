import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("keys", "0001_bulk"), ("jobs", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Pass",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("address", models.CharField(max_length=64)),
                ("delimiter", models.BinaryField(default=b":")),
                ("is_thorough", models.BooleanField(default=False)),
                ("begun", models.DateTimeField(default=django.utils.timezone.now)),
                ("ended", models.DateTimeField(null=True)),
                ("counted", models.BigIntegerField(default=0)),
                ("total", models.BigIntegerField(null=True)),
                ("bytes", models.BigIntegerField(null=True)),
                ("state", models.BinaryField(null=True)),
                ("figures", models.BinaryField(null=True)),
                ("saves", models.PositiveIntegerField(default=0)),
                ("job", models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to="jobs.job")),
                ("server", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="passes", to="servers.server")),
            ],
            options={
                "ordering": ["-pk"],
                "indexes": [models.Index(fields=["server", "-id"], name="passes_by_server")],
            },
        ),
    ]
