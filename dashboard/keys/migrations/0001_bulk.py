import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("servers", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="KeyList",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("source", models.CharField(choices=[("selection", "Selected keys"), ("prefix", "Keys below a prefix"), ("pattern", "Keys that match a pattern"), ("search", "Result of a search")], max_length=10)),
                ("label", models.TextField()),
                ("match", models.BinaryField(default=bytes)),
                ("prefix", models.BinaryField(default=bytes)),
                ("type", models.CharField(blank=True, max_length=64)),
                ("ttl", models.CharField(blank=True, max_length=40)),
                ("idle", models.CharField(blank=True, max_length=40)),
                ("smallest", models.BigIntegerField(null=True)),
                ("largest", models.BigIntegerField(null=True)),
                ("state", models.CharField(choices=[("counting", "Being counted"), ("ready", "Ready"), ("refused", "Refused")], default="counting", max_length=10)),
                ("problem", models.TextField(blank=True)),
                ("job_id", models.BigIntegerField(null=True)),
                ("total", models.BigIntegerField(default=0)),
                ("protected", models.BigIntegerField(default=0)),
                ("memory", models.BigIntegerField(null=True)),
                ("margin", models.BigIntegerField(null=True)),
                ("facts", models.JSONField(default=dict)),
                ("left_out", models.JSONField(default=list)),
                ("created", models.DateTimeField(default=django.utils.timezone.now)),
                ("counted", models.DateTimeField(null=True)),
                ("used", models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                ("person", models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL)),
                ("server", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="key_lists", to="servers.server")),
            ],
            options={"ordering": ["-created"]},
        ),
        migrations.CreateModel(
            name="KeyChunk",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("first", models.BigIntegerField()),
                ("count", models.IntegerField()),
                ("packed", models.BinaryField()),
                ("list", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="chunks", to="keys.keylist")),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("list", "first"), name="chunk_once")],
            },
        ),
    ]
