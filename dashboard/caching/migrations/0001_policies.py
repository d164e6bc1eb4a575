import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("servers", "0002_load"),
    ]

    operations = [
        migrations.CreateModel(
            name="CachePolicy",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("namespace", models.CharField(max_length=100)),
                ("version", models.PositiveIntegerField(default=1)),
                ("body", models.JSONField(default=dict)),
                ("archived", models.DateTimeField(null=True)),
                ("created", models.DateTimeField(auto_now_add=True)),
                ("changed", models.DateTimeField(auto_now=True)),
                (
                    "server",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="cache_policies",
                        to="servers.server",
                    ),
                ),
            ],
            options={
                "ordering": ["namespace"],
            },
        ),
        migrations.CreateModel(
            name="CachePolicyVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                (
                    "what",
                    models.CharField(
                        choices=[
                            ("create", "Created"),
                            ("change", "Changed"),
                            ("roll_back", "Rolled back"),
                            ("archive", "Given back to the code"),
                            ("restore", "Restored"),
                        ],
                        max_length=10,
                    ),
                ),
                ("body", models.JSONField()),
                ("author", models.CharField(max_length=150)),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("at", models.DateTimeField(auto_now_add=True)),
                (
                    "policy",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="versions",
                        to="caching.cachepolicy",
                    ),
                ),
            ],
            options={
                "ordering": ["-number"],
            },
        ),
        migrations.CreateModel(
            name="CachePublication",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("version", models.PositiveBigIntegerField(default=0)),
                ("text", models.TextField(blank=True)),
                ("wanted_at", models.DateTimeField(null=True)),
                ("published", models.PositiveBigIntegerField(default=0)),
                ("published_at", models.DateTimeField(null=True)),
                ("trouble", models.CharField(blank=True, max_length=500)),
                ("failures", models.PositiveSmallIntegerField(default=0)),
                ("failed_at", models.DateTimeField(null=True)),
                ("mended", models.PositiveIntegerField(default=0)),
                ("mended_at", models.DateTimeField(null=True)),
                ("mended_why", models.CharField(blank=True, max_length=200)),
                (
                    "server",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="caching_publication",
                        to="servers.server",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="cachepolicy",
            constraint=models.UniqueConstraint(
                fields=("server", "namespace"), name="one_cache_policy_of_a_namespace"
            ),
        ),
        migrations.AddConstraint(
            model_name="cachepolicyversion",
            constraint=models.UniqueConstraint(
                fields=("policy", "number"), name="one_cache_version_of_a_number"
            ),
        ),
    ]
