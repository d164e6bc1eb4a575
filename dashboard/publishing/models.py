"""What the tables of every kind of published policies have in common; the tables are the areas'."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import F
from django.utils import timezone


class What(models.TextChoices):
    """What a version does to its policy."""

    CREATE = "create", "Created"
    CHANGE = "change", "Changed"
    ROLL_BACK = "roll_back", "Rolled back"
    ARCHIVE = "archive", "Deleted"
    RESTORE = "restore", "Restored"

    @classmethod
    def said(cls, archived: str) -> list[tuple[str, str]]:
        """The choices of a field, with the area's word for a policy that holds no longer."""
        return [(one.value, archived if one is cls.ARCHIVE else str(one.label)) for one in cls]


class Policy(models.Model):
    """One policy of one server as it is decided now; ``body`` is that of its newest version.

    An ``archived`` one holds no longer; its versions stay. A table adds ``server`` and the name,
    and has versions as ``versions``.
    """

    version = models.PositiveIntegerField(default=1)
    body = models.JSONField(default=dict)
    archived = models.DateTimeField(null=True)
    created = models.DateTimeField(auto_now_add=True)
    changed = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True

    if TYPE_CHECKING:  # of the table
        server: Any
        versions: Any

        def as_policy(self) -> Any:
            """The library's policy. Raises InvalidArgument for what this version cannot read."""

    def told(self) -> dict[str, Any]:
        """What the audit keeps of it."""
        return {"version": self.version, **self.body}


class Version(models.Model):
    """One version of a policy, never changed afterwards. A table adds ``policy`` and ``what``."""

    number = models.PositiveIntegerField()
    body = models.JSONField()
    author = models.CharField(max_length=150)
    reason = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True
        ordering = ["-number"]

    if TYPE_CHECKING:  # of the table
        policy: Any

        def as_policy(self) -> Any:
            """The library's policy as it was in this version; raises as ``Policy.as_policy``."""

    def __str__(self) -> str:
        return f"{self.policy} version {self.number}"


class Publication(models.Model):
    """One server's document: the version that is wanted, its text, and what came of publishing it.

    ``version`` only grows. ``text`` is the whole document as it is written to Redis. A table adds
    ``server``, one to one.
    """

    version = models.PositiveBigIntegerField(default=0)
    text = models.TextField(blank=True)
    wanted_at = models.DateTimeField(null=True)
    # What was seen in Redis last.
    published = models.PositiveBigIntegerField(default=0)
    published_at = models.DateTimeField(null=True)
    trouble = models.CharField(max_length=500, blank=True)
    # Writes that failed one after the other: the next is tried later each time.
    failures = models.PositiveSmallIntegerField(default=0)
    failed_at = models.DateTimeField(null=True)
    # How often Redis had something else, and when last: a flush, a restore, another writer.
    mended = models.PositiveIntegerField(default=0)
    mended_at = models.DateTimeField(null=True)
    mended_why = models.CharField(max_length=200, blank=True)

    class Meta:
        abstract = True

    if TYPE_CHECKING:  # of the table
        server: Any

    def __str__(self) -> str:
        return f"{self.server}, version {self.version}"

    def note_well(self) -> None:
        """Redis has what was wanted; nothing is written when another version is wanted by now."""
        self._rows().filter(version=self.version).update(
            published=self.version, published_at=timezone.now(), failures=0, **self.in_trouble("")
        )

    def note_trouble(self, trouble: str, *, is_write: bool) -> None:
        """Keep why the document is not in Redis; ``is_write``: it was written, and refused."""
        values = self.in_trouble(trouble[:500])
        if is_write:
            values |= {"failures": F("failures") + 1, "failed_at": timezone.now()}
        elif self.trouble == values["trouble"]:
            return
        self._rows().update(**values)

    def note_mended(self, why: str) -> None:
        """Redis had something else, and has what is wanted now."""
        self._rows().update(mended=F("mended") + 1, mended_at=timezone.now(), mended_why=why)

    def in_trouble(self, trouble: str) -> dict[str, Any]:
        """The columns that say so; ``""`` is none."""
        return {"trouble": trouble}

    def _rows(self) -> models.QuerySet[Any]:
        return type(self)._default_manager.filter(pk=self.pk)
