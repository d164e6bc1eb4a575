"""Nothing in SQL: what is known of sessions, and how many there were, is kept on home."""

from typing import Any

from django.conf import settings
from django.db import migrations


class Migration(migrations.Migration):
    initial = True
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("servers", "0002_load"),
    ]

    operations: list[Any] = []
