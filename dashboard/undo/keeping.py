"""Writing down what is about to be taken away: sealed, bounded, committed before it goes."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet, Sum
from django.http import HttpRequest
from django.utils import timezone

from dashboard.audit.actors import actor_of
from dashboard.jobs.models import Job
from dashboard.servers.models import Server
from dashboard.ui import numbers
from dashboard.undo import marks, sealing
from dashboard.undo.errors import Emptied, Full, TooBig
from dashboard.undo.models import NAME_KEPT, Chunk, Removal, place
from redisops.dumps import Dump

CHUNK_BYTES = 1024 * 1024
CHUNK_ENTRIES = 10_000


class Kept(NamedTuple):
    """What one ``keep`` wrote: (chunk's number, how many entries), in the order of the dumps."""

    chunks: tuple[tuple[int, int], ...]


def begin(
    who: HttpRequest | str,
    server: Server,
    action: str = "keys.delete",
    why: str = "",
    job: Any = None,
    what: str = "",
) -> Removal:
    """Open a removal: one act of ``who`` (a request, or a name) on ``server``. Nothing kept yet.

    ``action`` is the audit's code, ``what`` names the whole where that is no single key
    ("cart:eu:*"), ``job`` the job or its number. An empty removal is never shown.
    """
    return Removal.objects.create(
        server=server,
        action=action,
        what=what[:300].replace("\x00", "\\x00"),
        actor=actor_of(who).name,
        why=why[:500].replace("\x00", "\\x00"),
        job=getattr(job, "pk", job),
        until=_until(),
    )


def can_keep(server: Server, size: int, largest: int = 0) -> str:
    """Why ``size`` bytes of dumps, the ``largest`` value among them, would not be kept; "" if so.

    What people do meanwhile may change it; ``keep`` decides. Two queries.
    """
    if largest > settings.UNDO_VALUE_BYTES:
        return too_big(largest)
    free = settings.UNDO_BYTES - _used(until__gt=timezone.now())
    return "" if size <= free else _full(size, max(free, 0))


def told(request: HttpRequest, server: Server) -> Removal | None:
    """The removal that the address names (``?undo=17``), for the strip after a redirect."""
    number = request.GET.get("undo", "")
    if not (number.isascii() and number.isdigit() and len(number) < 18):
        return None
    return offered_on(server).filter(pk=int(number)).first()


def kept_of(server: Server, key: bytes, action: str, number: str) -> Removal | None:
    """The removal that a form names, if it is such an act on this server that kept this key.

    Opens the names of all its chunks: for acts on one key.
    """
    if not (number.isascii() and number.isdigit() and len(number) < 18):
        return None
    acts = Removal.objects.filter(server=server, action=action, first_key=key[:NAME_KEPT])
    found = acts.filter(pk=int(number)).first()
    if found is None:
        return None
    chunks = found.chunks.filter(is_edit=False).defer("body")
    return found if any(key in chunk.open_facts().keys for chunk in chunks) else None


def offered_on(server: Server) -> QuerySet[Removal]:
    """The removals of a server that can come back, newest first."""
    found = Removal.objects.filter(server=server, until__gt=timezone.now(), offered__gt=0)
    return found.select_related("server").order_by("-pk")


def jobs_offered(ended: Sequence[Job]) -> set[int]:
    """Which of these jobs removed what can still come back: they are not forgotten before."""
    found = Removal.objects.filter(job__in=[job.pk for job in ended], until__gt=timezone.now())
    return {int(job) for job in found.values_list("job", flat=True) if job is not None}


def keep(removal: Removal, dumps: Sequence[Dump]) -> Kept:
    """``Removal.keep``."""
    if not dumps:
        return Kept(())
    largest = max(dump.size for dump in dumps)
    if largest > settings.UNDO_VALUE_BYTES:
        raise TooBig(too_big(largest))
    rows = []
    for part in _parts(dumps):
        token = uuid.uuid4()
        facts, body = sealing.seal_dumps(part, place(removal.pk, token))
        rows.append(
            Chunk(
                removal=removal, token=token, count=len(part), size=len(facts) + len(body),
                marks=bytes([marks.KEPT]) * len(part), facts=facts, body=body,
            )
        )  # fmt: skip
    _write(removal, rows, dumps[0].key)
    return Kept(tuple((row.pk, row.count) for row in rows))


def keep_edit(removal: Removal, key: bytes, inverse: dict[str, Any]) -> Kept:
    """``Removal.keep_edit``."""
    token = uuid.uuid4()
    facts, body, size = sealing.seal_edit(key, inverse, place(removal.pk, token))
    if size > settings.UNDO_VALUE_BYTES:
        raise TooBig(too_big(size))
    row = Chunk(
        removal=removal, token=token, is_edit=True, count=1, size=len(facts) + len(body),
        marks=bytes([marks.REMOVED]), facts=facts, body=body,
    )  # fmt: skip
    _write(removal, [row], key)
    return Kept(((row.pk, 1),))


def settle(removal: Removal, kept: Kept, results: Sequence[str]) -> None:
    """``Removal.settle``."""
    at = stayed = 0
    with transaction.atomic():
        for number, count in kept.chunks:
            words = results[at : at + count]
            at += count
            told = bytes(marks.settled(word) for word in words)
            stayed += told.count(marks.STAYED)
            Chunk.objects.filter(pk=number).update(marks=told)
        if at != len(results):
            raise ValueError(f"{len(results)} results for {at} kept entries")
        if stayed:
            Removal.objects.filter(pk=removal.pk).update(offered=F("offered") - stayed)
            removal.offered -= stayed


def empty(limit: int = 50) -> int:
    """Delete what has expired, a few chunks at a time so that no writer waits long.

    Returns how many chunks and removals went; 0 when nothing is left to do.
    """
    now = timezone.now()
    gone = 0
    over = list(
        Chunk.objects.filter(removal__until__lte=now).order_by("pk")
        .values_list("pk", "removal_id", "size")[:limit]
    )  # fmt: skip
    if over:
        sizes: dict[int, int] = {}
        for _, owner, size in over:
            sizes[owner] = sizes.get(owner, 0) + size
        with transaction.atomic():
            gone = Chunk.objects.filter(pk__in=[number for number, _, _ in over]).delete()[0]
            for owner, size in sizes.items():
                Removal.objects.filter(pk=owner).update(size=F("size") - size)
        return gone
    hour_ago = now - datetime.timedelta(hours=1)
    bare = Removal.objects.filter(chunks__isnull=True)
    old = bare.filter(until__lte=now) | bare.filter(kept=0, created__lte=hour_ago)
    return Removal.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:limit])).delete()[0]


def _write(removal: Removal, rows: list[Chunk], first_key: bytes) -> None:
    """Both tables in one short transaction of its own; empties what expired when it is full."""
    size = sum(row.size for row in rows)
    try:
        _commit(removal, rows, size, first_key)
    except Full:
        while empty():
            pass
        _commit(removal, rows, size, first_key)


def _commit(removal: Removal, rows: list[Chunk], size: int, first_key: bytes) -> None:
    count = sum(row.count for row in rows)
    until = _until()
    changes: dict[str, Any] = {"first_key": first_key[:NAME_KEPT]} if not removal.kept else {}
    with transaction.atomic(durable=True):
        used = _used()
        if used + size > settings.UNDO_BYTES:
            raise Full(_full(size, max(settings.UNDO_BYTES - used, 0)))
        found = Removal.objects.filter(pk=removal.pk).update(
            kept=F("kept") + count, offered=F("offered") + count, size=F("size") + size,
            until=until, **changes,
        )  # fmt: skip
        if not found:
            raise Emptied("What was removed so far has left the recycle bin. Start again.")
        Chunk.objects.bulk_create(rows)
    removal.kept += count
    removal.offered += count
    removal.size += size
    removal.until = until
    removal.first_key = changes.get("first_key", removal.first_key)


def _parts(dumps: Sequence[Dump]) -> Iterator[Sequence[Dump]]:
    """Runs of dumps of about a chunk's size each."""
    start = size = 0
    for at, dump in enumerate(dumps):
        if at > start and (size + dump.size > CHUNK_BYTES or at - start >= CHUNK_ENTRIES):
            yield dumps[start:at]
            start, size = at, 0
        size += dump.size
    yield dumps[start:]


def _used(**which: Any) -> int:
    return Removal.objects.filter(**which).aggregate(size=Sum("size"))["size"] or 0


def _until() -> datetime.datetime:
    return timezone.now() + datetime.timedelta(seconds=settings.UNDO_SECONDS)


def too_big(size: int) -> str:
    return (
        f"A value of {numbers.size(size)} is too big for the recycle bin, which takes up to "
        f"{numbers.size(settings.UNDO_VALUE_BYTES)} each (UNDO_VALUE_BYTES). It can only be "
        "deleted without undo."
    )


def _full(size: int, free: int) -> str:
    first = Removal.objects.filter(offered__gt=0).order_by("until").first()
    when = f" The oldest leaves it at {first.until:%H:%M} UTC." if first else ""
    return (
        f"The recycle bin has room for {numbers.size(free)} of {numbers.size(settings.UNDO_BYTES)} "
        f"(UNDO_BYTES), and this takes {numbers.size(size)}.{when} Delete less at once, or "
        "without undo."
    )
