"""Deleting keys so that they can come back: DUMP, keep (committed), then UNLINK what is the same.

A crash between two of these loses nothing: before the UNLINK the key is there, after it the
value is kept. What was kept and never settled is found by ``look``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F

from dashboard.undo import marks
from dashboard.undo.keeping import too_big
from dashboard.undo.models import Chunk, Removal
from redisops.dumps import Dump, Dumps, OutOfReach, Taken, TooBig

# Dumps in memory at once; a single value may be larger.
BUDGET = 16 * 1024 * 1024


def remove(removal: Removal, redis: Any, names: Sequence[bytes]) -> list[str]:
    """``Removal.remove``."""
    results = _remove(removal, Dumps(redis), names)
    # A hash table that grows is dumped in another order though nobody wrote; a key that somebody
    # wrote is kept as it is now. What changes all the time stays.
    again = [n for n, result in enumerate(results) if result == "changed"]
    told = _remove(removal, Dumps(redis), [names[n] for n in again])
    for n, result in zip(again, told, strict=True):
        results[n] = result
    return results


def _remove(removal: Removal, library: Dumps, names: Sequence[bytes]) -> list[str]:
    results: list[str] = []
    while len(results) < len(names):
        rest = names[len(results) :]
        taken = library.take(rest, max_bytes=settings.UNDO_VALUE_BYTES, budget=BUDGET)
        dumps = [one for one in taken if isinstance(one, Dump)]
        kept = removal.keep(dumps)
        told = library.remove(dumps)
        removal.settle(kept, told)
        answers = iter(told)
        results += [next(answers) if isinstance(one, Dump) else why_not(one) for one in taken]
    return results


def why_not(taken: Taken) -> str:
    """The result for what ``take`` did not give a dump of."""
    if isinstance(taken, TooBig):
        return f"too big: {too_big(taken.size)}"
    return f"refused: {taken.why}" if isinstance(taken, OutOfReach) else "gone"


def look(removal: Removal, redis: Any) -> int:
    """``Removal.look``."""
    library = Dumps(redis)
    settled = 0
    for chunk in Chunk.objects.filter(removal=removal, is_edit=False).iterator(chunk_size=8):
        told = bytearray(chunk.marks)
        asked = [n for n, mark in enumerate(told) if mark == marks.KEPT]
        if not asked:
            continue
        dumps = list(chunk.dumps())
        stayed = 0
        for n, now in zip(asked, _now(library, [dumps[n] for n in asked]), strict=True):
            same = isinstance(now, Dump) and now == dumps[n]
            if same or now is None:
                told[n] = marks.STAYED if same else marks.REMOVED
                stayed += same
                settled += 1
        with transaction.atomic():
            Chunk.objects.filter(pk=chunk.pk).update(marks=bytes(told))
            Removal.objects.filter(pk=removal.pk).update(offered=F("offered") - stayed)
    removal.refresh_from_db()
    return settled


def _now(library: Any, dumps: Sequence[Dump]) -> list[Taken]:
    found: list[Taken] = library.take(
        [dump.key for dump in dumps], max_bytes=settings.UNDO_VALUE_BYTES
    )
    return found
