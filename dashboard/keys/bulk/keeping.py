"""Bulk work and the recycle bin: one removal for a job, its chunks named in the intention.

The removal's row is committed before anything is kept in it, and a chunk before its keys go. A
chunk that was kept and not intended (the worker died between) belongs to keys that nobody
touched: it is said to have stayed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import F

from dashboard import undo
from dashboard.keys.bulk.timing import paced
from dashboard.undo import marks
from dashboard.undo.models import Chunk, Removal
from dashboard.undo.removing import why_not
from redisops.dumps import Dump, Dumps, Taken
from redisops.dumps.sending import CALL_KEYS
from redisops.values.calls import is_cluster

if TYPE_CHECKING:
    from dashboard.jobs.work import Work
    from dashboard.servers.models import Server

__all__ = ["why_not"]

TAKING, REMOVING = 4, 3  # commands that the scripts of ``Dumps`` run for a key
BUDGET = 16 * 1024 * 1024  # bytes of dumps in memory at once; a single value may be larger
SETTLED = {"removed": marks.REMOVED, "overwritten": marks.OVERWRITTEN, "perhaps": marks.KEPT}

_removals: dict[int, Removal] = {}


def ready(work: Work, server: Server) -> bool:
    """See to the job's removal; False when this step only opened it."""
    if "removal" in work.checkpoint:
        if work.intent is None:
            _let_stay(work)
        return True
    opened = undo.begin(
        work.job.by_name, server, work.job.kind, work.job.reason, work.job.pk,
        what=work.params["label"],
    )  # fmt: skip
    work.checkpoint.update(removal=opened.pk, chunk=0)
    return False


def removal(work: Work) -> Removal:
    """The job's removal."""
    pk = work.checkpoint["removal"]
    known = _removals.get(pk)
    if known is None or known.job != work.job.pk:
        _removals.clear()
        known = _removals[pk] = Removal.objects.get(pk=pk)
    return known


def take(work: Work, redis: Any, keys: Sequence[bytes]) -> list[Taken]:
    """The dumps of ``keys``, or of the first of them that are small enough together."""
    with paced(work, len(keys) * TAKING + calls(redis, len(keys))):
        return Dumps(redis).take(keys, max_bytes=settings.UNDO_VALUE_BYTES, budget=BUDGET)


def remove(work: Work, dumps: Sequence[Dump]) -> list[str]:
    """Unlink what is still as it was taken; a word for each."""
    if not dumps:
        return []
    with paced(work, len(dumps) * REMOVING + calls(work.redis, len(dumps))):
        return Dumps(work.redis).remove(dumps)


def dumps_of(chunks: Sequence[Sequence[int]]) -> list[Dump]:
    """What was kept in these chunks, in its order."""
    rows = {row.pk: row for row in Chunk.objects.filter(pk__in=[pk for pk, _ in chunks])}
    if len(rows) < len(chunks):
        raise undo.Emptied("What was kept for undo has left the recycle bin meanwhile.")
    return [dump for pk, _ in chunks for dump in rows[pk].dumps()]


def calls(redis: Any, keys: int) -> int:
    """How many scripts ``Dumps`` calls for so many keys: on a cluster one for each slot."""
    return keys if is_cluster(redis) else -(-keys // CALL_KEYS)


def spread(count: int, absent: dict[Any, str], told: Sequence[str]) -> list[str]:
    """A word for each of ``count`` keys: of those that were not taken why, of the others these."""
    others = {int(n): why for n, why in absent.items()}
    words = iter(told)
    return [others[n] if n in others else next(words) for n in range(count)]


def settle(work: Work, chunks: Sequence[Sequence[int]], words: Sequence[str]) -> None:
    """Say with the step's commit what became of each kept entry.

    "removed" and "overwritten" as the bin knows them; "perhaps" stays offered as not known; any
    other word: the key was not touched.
    """
    rows, at, stayed = [], 0, 0
    for pk, count in chunks:
        told = bytes(SETTLED.get(word, marks.STAYED) for word in words[at : at + count])
        stayed += told.count(marks.STAYED)
        rows.append((pk, told))
        at += count
    if chunks:
        work.checkpoint["chunk"] = max(work.checkpoint["chunk"], *(pk for pk, _ in chunks))
    number = work.checkpoint["removal"]

    def write() -> None:
        for pk, told in rows:
            Chunk.objects.filter(pk=pk).update(marks=told)
        if stayed:
            Removal.objects.filter(pk=number).update(offered=F("offered") - stayed)

    work.also(write)


def _let_stay(work: Work) -> None:
    """Chunks behind the last settled one, with no intention: their keys were never touched."""
    number = work.checkpoint["removal"]
    loose = list(
        Chunk.objects.filter(removal_id=number, pk__gt=work.checkpoint["chunk"])
        .order_by("pk").values_list("pk", "count")
    )  # fmt: skip
    if not loose:
        return
    work.checkpoint["chunk"] = loose[-1][0]
    stayed = sum(count for _, count in loose)

    def write() -> None:
        for pk, count in loose:
            Chunk.objects.filter(pk=pk).update(marks=bytes([marks.STAYED]) * count)
        Removal.objects.filter(pk=number).update(offered=F("offered") - stayed)

    work.also(write)
