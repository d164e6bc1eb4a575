"""Frozen lists of keys: what bulk work, exports and searches act on."""

from __future__ import annotations

import datetime
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from dashboard.servers.models import Server
from redisops.filters import Filter
from redisops.keys import from_url, to_url

if TYPE_CHECKING:
    from dashboard.jobs.models import Job

FRESH = datetime.timedelta(minutes=15)
UNUSED = datetime.timedelta(hours=1)
CHUNKS_AT_ONCE = 50
MOST = 10_000_000
CHUNK = 5_000
MOST_LEFT_OUT = 1_000


class KeyList(models.Model):
    """Distinct keys of one server, frozen: no key joins or leaves after ``state`` is READY.

    ``match`` and ``prefix`` are the bytes it was found by. ``type`` is a Redis type name or "",
    ``ttl`` and ``idle`` as ``Keyspace.page`` takes them, ``smallest`` and
    ``largest`` bytes in memory (None: no bound). ``total`` counts the keys, those left out by
    hand included; ``protected`` the console's own, which are not in the list. ``memory`` is an
    estimate of their bytes in memory, right within ``margin`` bytes with 95 % confidence (0: exact;
    both None: unknown). ``facts`` is what the dry run shows; see ``facts.py`` for its shape.
    ``label`` is what people call it: "cart:eu:2025:*", "3 selected keys".
    """

    class Source(models.TextChoices):
        SELECTION = "selection", "Selected keys"
        PREFIX = "prefix", "Keys below a prefix"
        PATTERN = "pattern", "Keys that match a pattern"
        SEARCH = "search", "Result of a search"

    class State(models.TextChoices):
        COUNTING = "counting", "Being counted"
        READY = "ready", "Ready"
        REFUSED = "refused", "Refused"

    server = models.ForeignKey(Server, models.CASCADE, related_name="key_lists")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    source = models.CharField(max_length=10, choices=Source.choices)
    label = models.TextField()
    match = models.BinaryField(default=bytes)
    prefix = models.BinaryField(default=bytes)
    type = models.CharField(max_length=64, blank=True)
    ttl = models.CharField(max_length=40, blank=True)
    idle = models.CharField(max_length=40, blank=True)
    smallest = models.BigIntegerField(null=True)
    largest = models.BigIntegerField(null=True)

    state = models.CharField(max_length=10, choices=State.choices, default=State.COUNTING)
    problem = models.TextField(blank=True)
    job_id = models.BigIntegerField(null=True)
    total = models.BigIntegerField(default=0)
    protected = models.BigIntegerField(default=0)
    memory = models.BigIntegerField(null=True)
    margin = models.BigIntegerField(null=True)
    facts = models.JSONField(default=dict)
    left_out = models.JSONField(default=list)

    created = models.DateTimeField(default=timezone.now)
    counted = models.DateTimeField(null=True)
    used = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering = ["-created"]

    def __str__(self) -> str:
        return f"{self.label} on {self.server}"

    @property
    def is_ready(self) -> bool:
        return self.state == self.State.READY

    @property
    def is_fresh(self) -> bool:
        """Whether it was counted in the last 15 minutes, so that one may act on it."""
        return self.is_ready and self.fresh_until > timezone.now()

    @property
    def fresh_until(self) -> datetime.datetime:
        """When it must be counted again before anybody acts on it."""
        return (self.counted or self.created) + FRESH

    @property
    def acting(self) -> int:
        """How many keys an action would touch: those left out by hand are not among them."""
        return self.total - len(self.left_out)

    @property
    def filter(self) -> Filter:
        """What keys must pass beside pattern and type: as lists of keys have it."""
        return Filter(self.ttl, self.size, self.idle)

    @property
    def size(self) -> str:
        """The range of bytes in memory that keys must have, as ``Filter`` spells it."""
        if self.smallest is None and self.largest is None:
            return ""
        if self.largest is None:
            return f">={self.smallest}"
        return f"{self.smallest or 0}-{self.largest + 1}"

    def refuse(self, why: str) -> None:
        """It cannot be made: say why, and forget what was counted."""
        self.state, self.problem = self.State.REFUSED, why
        self.save(update_fields=["state", "problem"])
        self.chunks.all().delete()

    @property
    def kept_out(self) -> frozenset[bytes]:
        """The keys that somebody took out by hand."""
        return frozenset(from_url(key) for key in self.left_out)

    def leave_out(self, keys: Sequence[bytes]) -> None:
        """Take keys out by hand, at most 1,000 (ValueError); saved. Unknown names do nothing."""
        left_out = sorted({*self.left_out, *map(to_url, self.found(keys))})
        if len(left_out) > MOST_LEFT_OUT:
            raise ValueError(f"at most {MOST_LEFT_OUT:,} keys can be left out by hand")
        self.left_out = left_out
        self.save(update_fields=["left_out"])

    def found(self, keys: Sequence[bytes]) -> set[bytes]:
        """Which of ``keys`` are in the list. Reads every chunk until all are found."""
        wanted, found = set(keys), set[bytes]()
        for chunk in self.chunks.order_by("first").iterator(chunk_size=4):
            found |= wanted.intersection(unpack(bytes(chunk.packed)))
            if found == wanted:
                break
        return found

    def keys(self, position: int, count: int) -> list[bytes]:
        """``count`` keys from ``position`` (0-based) on, fewer at the end; always in this order.

        Those left out by hand are among them, so that positions never move. One or two rows.
        """
        if count <= 0:
            return []
        end = position + count
        keys: list[bytes] = []
        rows = self.chunks.filter(first__gt=position - CHUNK, first__lt=end).order_by("first")
        for pk, first, size in rows.values_list("pk", "first", "count"):
            if first + size <= position:
                continue
            keys += _chunk(pk, self.created)[max(position - first, 0) : end - first]
        return keys

    def every(self) -> Iterator[list[bytes]]:
        """All keys, a chunk at a time."""
        for pk in self.chunks.order_by("first").values_list("pk", flat=True):
            yield _chunk(pk, self.created)

    def close(self, total: int, **values: Any) -> None:
        """It is counted: READY, and good for acting from now on. In the job's last transaction."""
        now = timezone.now()
        done = {"state": self.State.READY, "total": total, "counted": now, "used": now, **values}
        type(self).objects.filter(pk=self.pk).update(**done)

    @classmethod
    def forget_unused(cls) -> int:
        """Delete lists that nobody used for an hour and no unfinished job needs; how many rows.

        A few chunks at a time: a list may hold ten million names, and SQLite has one writer.
        """
        from dashboard.jobs.models import Job

        needed = Job.objects.filter(state__in=Job.UNFINISHED, kind__startswith="keys.")
        kept = {params.get("list") for params in needed.values_list("params", flat=True)} - {None}
        old = cls.objects.filter(used__lt=timezone.now() - UNUSED).exclude(pk__in=kept)
        gone = 0
        for pk in list(old.values_list("pk", flat=True)):
            chunks = KeyChunk.objects.filter(list_id=pk)
            while some := list(chunks.values_list("pk", flat=True)[:CHUNKS_AT_ONCE]):
                gone += KeyChunk.objects.filter(pk__in=some).delete()[0]
            gone += cls.objects.filter(pk=pk).delete()[0]
        return gone

    @classmethod
    def jobs_shown(cls, ended: Sequence[Job]) -> set[int]:
        """Which of these jobs made or acted on a list that is still there: its pages name them."""
        lists = {job.pk: job.params.get("list") for job in ended}
        there = set(
            cls.objects.filter(pk__in={*lists.values()} - {None}).values_list("pk", flat=True)
        )
        return {pk for pk, key_list in lists.items() if key_list in there}

    def copy_names(self, other: KeyList) -> None:
        """Hold the same keys at the same positions as ``other``, this list being new and empty.

        A few rows at a time and unopened: they are distinct and free of protected names already.
        """
        rows = KeyChunk.objects.filter(list=other).order_by("first")
        last = -1
        while some := list(rows.filter(first__gt=last)[:CHUNKS_AT_ONCE]):
            last = some[-1].first
            KeyChunk.objects.bulk_create(
                KeyChunk(list=self, first=one.first, count=one.count, packed=one.packed)
                for one in some
            )
        self.total = sum(KeyChunk.objects.filter(list=self).values_list("count", flat=True))

    def touch(self) -> None:
        """Say that somebody uses it; it is forgotten an hour after the last use."""
        self.used = timezone.now()
        type(self).objects.filter(pk=self.pk).update(used=self.used)


class KeyChunk(models.Model):
    """Up to 5,000 keys of a list from position ``first`` on; compressed, see ``pack``."""

    list = models.ForeignKey(KeyList, models.CASCADE, related_name="chunks")
    first = models.BigIntegerField()
    count = models.IntegerField()
    packed = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["list", "first"], name="chunk_once")]

    def __str__(self) -> str:
        return f"{self.count} keys from {self.first}"


def pack(keys: Sequence[bytes]) -> bytes:
    """Keys as one compressed text of lengths, and the names after one another."""
    lengths = ",".join(str(len(key)) for key in keys).encode()
    return zlib.compress(lengths + b"\n" + b"".join(keys), 1)


def unpack(packed: bytes) -> list[bytes]:
    """The inverse of ``pack``."""
    lengths, _, names = zlib.decompress(packed).partition(b"\n")
    keys, at = [], 0
    for length in map(int, lengths.split(b",") if lengths else ()):
        keys.append(names[at : at + length])
        at += length
    return keys


@lru_cache(maxsize=4)
def _chunk(pk: int, of: datetime.datetime) -> list[bytes]:
    """A chunk's keys; frozen, so a worker that walks a list reads each row once.

    ``of`` tells lists apart whose rows were given the same number by a database put back.
    """
    return unpack(bytes(KeyChunk.objects.values_list("packed", flat=True).get(pk=pk)))
