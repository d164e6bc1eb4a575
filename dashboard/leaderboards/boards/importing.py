"""Write the scores of a file: at once when they are few, as a job when they are many."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.http import HttpRequest
from redis.exceptions import NoPermissionError

from dashboard import undo
from dashboard.audit import recording
from dashboard.jobs import starting
from dashboard.jobs.kinds import Kind
from dashboard.leaderboards.boards import places, sheets
from dashboard.leaderboards.boards.models import Import
from dashboard.leaderboards.boards.places import Place
from redisops import keys
from redisops.dumps import Dump, Dumps
from redisops.leaderboards.many import Boards

if TYPE_CHECKING:
    from dashboard.jobs.models import Job
    from dashboard.jobs.work import Work

AT_ONCE = 1_000
"""Rows that the page itself writes; more of them are a job."""
RECEIPT_SECONDS = 12 * 3600
"""How long a receipt is trusted, of the day for which it is kept."""
KIND = "leaderboards.import"
HOWS = {
    "set": "Take the score of the file",
    "best": "Take it where it is better",
    "add": "Add it to the score that is there",
}


@dataclass(frozen=True)
class Compared:
    """What the first thousand rows would do. ``rows`` are (member, score now or None, score then)
    of the first that change something."""

    new: int
    changed: int
    same: int
    rows: list[tuple[bytes, float | None, float]]


def compare(place: Place, pairs: list[sheets.Pair], how: str) -> Compared | None:
    """One round trip; None for boards whose members are marked. Writes nothing."""
    if place.board is not None and place.board.first_wins:
        return None
    first = pairs[:AT_ONCE]
    now = Boards(place.server.client()).scores(place.key, [member for member, _ in first])
    new = changed = 0
    rows: list[tuple[bytes, float | None, float]] = []
    for (member, score), was in zip(first, now, strict=True):
        then = _then(was, score, how, is_high=place.is_high)
        new += was is None
        changed += was is not None and then != was
        if then != was and len(rows) < sheets.SHOWN:
            rows.append((member, was, then))
    return Compared(new, changed, len(first) - new - changed, rows)


def keep(request: HttpRequest | str, place: Place, why: str, job: int | None = None) -> Any:
    """The removal that takes the import back, None where nothing is there yet.

    Raises undo.CannotKeep with a sentence: nothing was written then.
    """
    limit = settings.UNDO_VALUE_BYTES
    books = place.books
    # Of one moment: they are in one slot, and taken by one script.
    board, *beside = Dumps(place.server.client()).take([place.key, *books], max_bytes=limit)
    if board is None:
        return None
    dumps = [one for one in (board, *beside) if isinstance(one, Dump)]
    if len(dumps) < 1 + len(books):
        if books and None in beside:
            raise undo.CannotKeep("What the library keeps beside this board is not there.")
        raise undo.CannotKeep("The board is too large for the recycle bin (UNDO_VALUE_BYTES).")
    removal = undo.begin(request, place.server, action=KIND, why=why, job=job, what=place.name)
    removal.settle(removal.keep(dumps), ["overwritten"] * len(dumps))
    return removal


def write(request: HttpRequest, place: Place, waiting: Import, why: str, *, undoable: bool) -> Any:
    """At once, audited; gives the removal that takes it back. Raises what ``keep`` does."""
    removal = keep(request, place, why) if undoable else None
    with recording(
        request, KIND, server=place.server.slug, target=place.key, reason=why,
        before={"file": waiting.name, "rows": waiting.rows, "how": waiting.how},
    ) as entry:  # fmt: skip
        how: Any = waiting.how
        place.library().update_many(sheets.unpacked(waiting.body), how=how)
        entry.after = {"written": waiting.rows}
    return removal


def start(request: HttpRequest, place: Place, waiting: Import, why: str, *, undoable: bool) -> Job:
    """As a job. Raises ``jobs.Busy`` while another one writes there."""
    params = {
        "import": waiting.pk, "key": keys.to_url(place.key), "name": place.name[:200],
        "undo": undoable, "how": waiting.how,
    }  # fmt: skip
    return starting.start(
        request, place.server, KIND, params, scope=place.key, total=waiting.rows, reason=why
    )


class ImportScores(Kind):
    """Writes a file's scores, a thousand at a time, each part once: the script that writes it
    leaves its number in a receipt beside the board. Where there can be no receipt, or it is too
    old, adding is never sent twice: a part whose end is not known is left out and said."""

    name: ClassVar[str] = KIND
    permission: ClassVar[str] = "leaderboards.change"
    undo: ClassVar[bool] = True
    unit: ClassVar[str] = "member"
    done_word: ClassVar[str] = "written"
    skipped_word: ClassVar[str] = "perhaps written"

    def title(self, job: Job) -> str:
        return f"Import scores into {job.params['name']}"

    def notes(self, job: Job) -> list[tuple[str, str]]:
        return [("Scores", HOWS[job.params["how"]])]

    def result_url(self, job: Job) -> str:
        from django.urls import reverse

        key = keys.from_url(job.params["key"])
        return reverse("leaderboards:show", args=[job.server.slug, key])

    def step(self, work: Work) -> bool:
        waiting = Import.objects.get(pk=work.params["import"])
        place = places.of_key(work.server, keys.from_url(work.params["key"]))
        at: int = work.checkpoint.get("at", 0)
        pairs = sheets.unpacked(waiting.body)
        if at == 0 and work.params["undo"] and not work.checkpoint.get("kept"):
            keep(work.job.by_name, place, work.job.reason, work.job.pk)
            work.checkpoint["kept"] = True
            work.log("The board is kept as it was, for undo")
            return not pairs
        receipt = None if work.checkpoint.get("bare") else receipt_of(place, work.job.pk)
        if at >= len(pairs):  # what was written is committed: nobody asks for the receipt any more
            if receipt is not None:
                place.library().forget_receipt(receipt)
            return True
        part = pairs[at : at + AT_ONCE]
        was_cut = work.intent is not None
        is_known = receipt is not None and (not was_cut or _is_kept(work.intent))
        work.pace.wait(len(part))
        if not (was_cut and is_known):  # else the time of the first try counts
            work.intend({"at": at, "sent": time.time()})
        if not (is_known and receipt is not None and self._once(work, place, part, receipt)):
            self._bare(work, place, part, was_cut=was_cut)
        work.checkpoint["at"] = at + len(part)
        return False

    def _once(self, work: Work, place: Place, part: list[sheets.Pair], receipt: bytes) -> bool:
        """Write a part that was not written yet; False when this account may not keep receipts."""
        how: Any = work.params["how"]
        at = work.checkpoint.get("at", 0)
        try:
            if not place.library().update_once(part, receipt, at, how=how):
                work.log(f"Rows {at + 1:,} to {at + len(part):,} had been written already")
        except NoPermissionError:
            # Refused for the key's name, or for GET and SET: before a score was written.
            work.checkpoint["bare"] = True
            work.log(f"No receipt is kept: {keys.printable(receipt)} may not be written")
            return False
        work.count(done=len(part))
        return True

    def _bare(self, work: Work, place: Place, part: list[sheets.Pair], *, was_cut: bool) -> None:
        """Write a part of which nobody can tell whether it was written when it was cut off."""
        how: Any = work.params["how"]
        at = work.checkpoint.get("at", 0)
        if was_cut and how == "add":
            work.log(f"Rows {at + 1:,} to {at + len(part):,} were cut off: not added twice")
            work.count(skipped=len(part))
            return
        place.library().update_many(part, how=how)
        work.count(done=len(part))


def receipt_of(place: Place, job: int) -> bytes | None:
    """A key in the board's slot of a cluster; None where no such name can be made."""
    key = place.key
    if keys.hash_tag(key) is None and place.server.endpoint.topology == "cluster":
        if b"}" in key:
            return None
        key = b"{" + key + b"}"
    return key + b":import:%d" % job


def _is_kept(intent: dict[str, Any] | None) -> bool:
    """Whether the receipt of what was sent then is still there: it is kept for a day."""
    sent: float = (intent or {}).get("sent", 0.0)
    return 0 <= time.time() - sent < RECEIPT_SECONDS


def _then(was: float | None, score: float, how: str, *, is_high: bool) -> float:
    if was is None:
        return score
    if how == "add":
        return was + score
    if how == "best":
        return max(was, score) if is_high else min(was, score)
    return score
