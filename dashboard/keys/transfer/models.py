"""Files of keys that the console holds for a while: written by exports, uploaded for imports."""

from __future__ import annotations

import datetime
import uuid
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Sum
from django.urls import reverse
from django.utils import timezone

from dashboard.keys.transfer import vault
from dashboard.servers.models import Server
from redisops.archives import DUMP, LINES


def _until() -> datetime.datetime:
    return timezone.now() + datetime.timedelta(seconds=settings.EXPORT_SECONDS)


class Archive(models.Model):
    """One file. ``size`` is that of its content in bytes, ``stored`` of the sealed file.

    ``name`` is what people call it: the keys that were exported, or the uploaded file's name.
    ``facts`` is what the look at an uploaded file found; see ``looking.py`` for its shape.
    """

    class Use(models.TextChoices):
        EXPORT = "export", "Export"
        IMPORT = "import", "Import"

    class State(models.TextChoices):
        OPEN = "open", "Under way"
        READY = "ready", "Ready"
        REFUSED = "refused", "Refused"

    FORMATS = {LINES: "JSON lines", DUMP: "DUMP archive"}

    server = models.ForeignKey(Server, models.CASCADE, related_name="archives")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    by_name = models.CharField(max_length=150)
    use = models.CharField(max_length=8, choices=Use.choices)
    format = models.CharField(max_length=8, choices=list(FORMATS.items()))
    name = models.CharField(max_length=300)
    token = models.UUIDField(default=uuid.uuid4, unique=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    problem = models.CharField(max_length=500, blank=True)
    size = models.BigIntegerField(default=0)
    stored = models.BigIntegerField(default=0)
    frames = models.BigIntegerField(default=0)
    keys = models.BigIntegerField(default=0)
    facts = models.JSONField(default=dict)
    job_id = models.BigIntegerField(null=True)
    created = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField(default=_until, db_index=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        if self.use == self.Use.IMPORT:
            return self.file_url
        return reverse("keys:export", args=[self.server.slug])

    @property
    def path(self) -> Path:
        return vault.folder(self.use) / f"{self.token.hex}.sealed"

    @property
    def place(self) -> str:
        """What the sealed frames are bound to."""
        return f"transfer.archive:{self.token.hex}"

    @property
    def is_ready(self) -> bool:
        return self.state == self.State.READY and not self.is_over

    @property
    def is_over(self) -> bool:
        return self.until <= timezone.now()

    @property
    def format_name(self) -> str:
        return self.FORMATS[self.format]

    @property
    def file_name(self) -> str:
        """As a download is called: letters, digits and hyphens."""
        end = "dump" if self.format == DUMP else "jsonl"
        return f"{self.server.slug}-{self.created:%Y%m%d-%H%M%S}-{self.pk}.{end}"

    @property
    def file_url(self) -> str:
        return reverse(f"keys:{self.use}_file", args=[self.server.slug, self.pk])

    @property
    def remove_url(self) -> str:
        return reverse(f"keys:{self.use}_remove", args=[self.server.slug, self.pk])

    def forget(self) -> None:
        """Remove the file, then the row."""
        self.path.unlink(missing_ok=True)
        self.delete()


def room(*, without: Archive | None = None) -> int:
    """How many more bytes fit under ``EXPORT_BYTES``, beside all files but this one."""
    others = Archive.objects.filter(until__gt=timezone.now())
    if without is not None:
        others = others.exclude(pk=without.pk)
    used: dict[str, Any] = others.order_by().aggregate(size=Sum("stored"))
    return max(int(settings.EXPORT_BYTES) - (used["size"] or 0), 0)
