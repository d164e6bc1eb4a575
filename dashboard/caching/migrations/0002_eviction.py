import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("caching", "0001_policies")]

    operations = [
        migrations.CreateModel(
            name="EvictionChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(auto_now_add=True)),
                ("by", models.CharField(max_length=150)),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("before", models.JSONField(default=dict)),
                ("after", models.JSONField(default=dict)),
                (
                    "result",
                    models.CharField(
                        choices=[("done", "Done"), ("unknown", "Result unknown")],
                        default="done",
                        max_length=8,
                    ),
                ),
                (
                    "kept",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "Not written"),
                            ("written", "Written"),
                            ("no file", "No file"),
                            ("refused", "Refused"),
                            ("failed", "Could not be written"),
                        ],
                        default="",
                        max_length=8,
                    ),
                ),
                (
                    "server",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="eviction_changes",
                        to="servers.server",
                    ),
                ),
                (
                    "takes_back",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="caching.evictionchange",
                    ),
                ),
            ],
            options={"ordering": ["-pk"]},
        ),
    ]
