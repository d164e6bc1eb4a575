"""Putting back what was removed: at once when it is little, as a job when it is much."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest

from dashboard import audit
from dashboard.jobs.starting import start
from dashboard.undo import marks
from dashboard.undo.keeping import begin
from dashboard.undo.models import Chunk, Removal
from dashboard.undo.options import Options, Restored
from dashboard.undo.putting import Putting
from dashboard.undo.taking_back import take_back
from redisops.dumps import Dump

if TYPE_CHECKING:
    from dashboard.jobs.models import Job

AT_ONCE_KEYS = 500
AT_ONCE_BYTES = 8 * 1024 * 1024
KIND = "undo.restore"

# Positions of entries by the number of their chunk; None: every entry that is not back.
Selection = Mapping[int, Sequence[int]] | None


def restore(
    request: HttpRequest,
    removal: Removal,
    *,
    keys: Sequence[bytes] | None = None,
    rename: tuple[bytes, bytes] | None = None,
    replace: bool = False,
    ttl: int | None = None,
    reason: str = "",
) -> Restored | Job:
    """Put keys of a removal back (None: all that are not back yet), with what expires when.

    ``rename`` is (from, to) for the begin of each name. Without ``replace`` nothing is ever
    overwritten; with it, what is overwritten goes to the bin first. ``ttl`` seconds are given to
    what has expired since. Above 500 keys or 8 MiB the answer is a job. Audited. Raises
    ``CannotKeep``, ``jobs.Busy``, and errors of Redis: UnknownResult says that nobody knows.
    """
    chosen = None if keys is None else positions_of(removal, set(keys))
    options = Options(rename, replace, ttl)
    return restore_entries(request, removal, chosen, options, reason=reason)


def restore_entries(
    request: HttpRequest, removal: Removal, chosen: Selection, options: Options, *, reason: str = ""
) -> Restored | Job:
    """The same for entries by their places."""
    entries, size = _measured(removal, chosen)
    target: str | bytes = removal.target
    if entries == 1 and removal.kept == 1:
        target = bytes(removal.first_key)
    elif chosen is not None:
        target = f"{entries:,} of {removal.target}"
    if entries > AT_ONCE_KEYS or size > AT_ONCE_BYTES:
        params = {
            "removal": removal.pk, "options": options.to_dict(), "what": removal.target,
            "selection": None if chosen is None else {str(n): list(p) for n, p in chosen.items()},
        }  # fmt: skip
        return start(request, removal.server, KIND, params, total=entries, reason=reason)

    restored = Restored()
    opener = open_for_overwritten(request, removal, restored)
    told: dict[str, Any] = {"server": removal.server.slug, "target": target, "reason": reason}
    before = {"removal": removal.pk, **options.to_dict()}
    with audit.recording(request, KIND, before=before, **told) as entry:
        redis = removal.server.client()
        putting = Putting(removal.server, redis, options, opener)
        for chunk, positions in selected(removal, chosen, options):
            for key, result in put(putting, chunk, positions):
                restored.add(key, result)
        entry.after = dict(restored.results)
    return restored


def put(
    putting: Putting, chunk: Chunk, positions: Sequence[int], opened: Sequence[Dump] | None = None
) -> list[tuple[bytes, str]]:
    """Entries of one chunk, whatever it holds; ``opened`` as ``Putting.put`` takes it."""
    if chunk.is_edit:
        return [
            take_back(putting.server, putting.redis, chunk, putting.options, putting.overwritten)
        ]
    return putting.put(chunk, positions, opened)


def open_for_overwritten(
    who: HttpRequest | str, removal: Removal, restored: Restored
) -> Callable[[], Removal]:
    """A function that opens the removal for what a restore overwrites, once."""

    def opened() -> Removal:
        if restored.overwritten is None:
            what = removal.target if removal.kept != 1 else ""
            restored.overwritten = begin(who, removal.server, "undo.overwrite", what=what)
        return restored.overwritten

    return opened


def selected(
    removal: Removal, chosen: Selection, options: Options
) -> Iterator[tuple[Chunk, list[int]]]:
    """The chunks with entries to restore, the newest edits first; values are read one by one."""
    order = "-pk" if removal.chunks.filter(is_edit=True).exists() else "pk"
    numbers = removal.chunks.order_by(order).values_list("pk", flat=True)
    for number in [n for n in numbers if chosen is None or n in chosen]:
        chunk = Chunk.objects.select_related("removal").get(pk=number)
        wanted = open_positions(chunk, options) if chosen is None else list(chosen[number])
        if wanted:
            yield chunk, wanted


def open_positions(chunk: Chunk, options: Options) -> list[int]:
    """The entries of a chunk that "all" means: offered, and not back unless under other names."""
    skipped = {marks.STAYED} if options.rename else {marks.STAYED, marks.BACK}
    return [n for n, mark in enumerate(bytes(chunk.marks)) if mark not in skipped]


def positions_of(removal: Removal, names: set[bytes]) -> dict[int, list[int]]:
    """Where keys are in a removal."""
    found: dict[int, list[int]] = {}
    for chunk in removal.chunks.defer("body"):
        places = [n for n, key in enumerate(chunk.open_facts().keys) if key in names]
        if places:
            found[chunk.pk] = places
    return found


def _measured(removal: Removal, chosen: Selection) -> tuple[int, int]:
    """How many entries that is, and about how many bytes."""
    if chosen is None:
        return removal.offered, removal.size
    sizes = removal.chunks.filter(pk__in=list(chosen)).values_list("size", "count", "pk")
    entries = sum(len(places) for places in chosen.values())
    return entries, sum(size * len(chosen[pk]) // max(count, 1) for size, count, pk in sizes)
