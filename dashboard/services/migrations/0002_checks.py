import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("servers", "0002_load"), ("services", "0001_history")]

    operations = [
        migrations.CreateModel(
            name="ServiceCheck",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("service", models.CharField(max_length=100)),
                ("mode", models.CharField(choices=[("own", "As each instance asks for when it registers"), ("written", "As written here, for all instances"), ("none", "Not at all: heartbeats alone count")], default="written", max_length=10)),
                ("spec", models.JSONField(default=dict)),
                ("terms", models.JSONField(default=dict)),
                ("version", models.PositiveIntegerField(default=1)),
                ("author", models.CharField(blank=True, max_length=150)),
                ("changed", models.DateTimeField(auto_now=True)),
                ("server", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="service_checks", to="servers.server")),
            ],
            options={
                "ordering": ["service"],
                "constraints": [models.UniqueConstraint(fields=("server", "service"), name="one_check_of_a_service")],
            },
        ),
    ]
