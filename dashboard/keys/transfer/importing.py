"""Put the keys of an uploaded file onto a server, each exactly once.

A step takes a batch of whole keys, or one part of a large key. Before the last part of a key
is sent the intention says which names were taken and what was kept of them for undo. After a
crash or a lost reply the next step reads the same records again and looks at each name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django.http import HttpRequest
from redis.exceptions import NoPermissionError, ResponseError

from dashboard.jobs import starting
from dashboard.jobs.kinds import Kind
from dashboard.keys.bulk import keeping as kept_for_undo
from dashboard.keys.bulk.starting import Refused, check_limit
from dashboard.keys.bulk.timing import Clock, paced
from dashboard.keys.bulk.walking import _is_of_the_command
from dashboard.keys.transfer import keeping
from dashboard.keys.transfer.looking import reader_of, renamed
from dashboard.keys.transfer.models import Archive
from redisops.archives import Dropped, Part, Put, Putting
from redisops.bulk import Bulk, is_trouble
from redisops.dumps import Dump, Taken
from redisops.errors import RedisopsError
from redisops.keys import from_url, printable, to_url

if TYPE_CHECKING:
    from dashboard.jobs.models import Job
    from dashboard.jobs.work import Work

MOST, BYTES = 500, 4 * 1024 * 1024
EACH = 8  # commands of a key at most, those inside scripts included
CONFLICTS = {
    "skip": "left alone when the name is taken",
    "replace": "what has the name is kept for undo and replaced",
    "fail": "nothing is written when any name is taken",
}
OWN = "own"
SKIPPED = frozenset({"taken", "expired", OWN})
PERHAPS = (
    "it was written again while the job was cut off: look at it; its earlier value is in the "
    "recycle bin"
)


class NamesTaken(RedisopsError):
    """The import was to fail when a name is taken, and one is; a whole sentence."""


def begin(
    request: HttpRequest, archive: Archive, *, conflict: str, old: bytes = b"", new: bytes = b"",
    why: str = "", limit: float | None = None,
) -> Job:  # fmt: skip
    """Start the import of a file that was looked through; raises Refused and ``jobs.Busy``."""
    if not archive.is_ready:
        raise Refused("This file has not been looked through to its end, or it is gone.")
    if conflict not in CONFLICTS:
        raise Refused("Say what to do with names that are taken: skip, replace or fail.")
    check_limit(limit)
    if not archive.keys:
        raise Refused("There is no key in this file.")
    params = {
        "archive": archive.pk, "label": archive.name, "conflict": conflict, "old": to_url(old),
        "new": to_url(new), "undo": conflict == "replace",
    }  # fmt: skip
    return starting.start(
        request, archive.server, "keys.import", params, scope=_scope(archive, old, new),
        total=archive.keys, reason=why, limit=limit,
    )  # fmt: skip


def _scope(archive: Archive, old: bytes, new: bytes) -> bytes:
    """What all names begin with on the server, as far as that is known."""
    if (archive.facts.get("old"), archive.facts.get("new")) == (to_url(old), to_url(new)):
        return from_url(archive.facts.get("start") or to_url(b""))
    return b""


class ImportKeys(Kind):
    """Walks the file by its reader's state."""

    name: ClassVar[str] = "keys.import"
    permission: ClassVar[str] = "keys.import"
    template: ClassVar[str] = "keys/bulk/_job.html"
    undo: ClassVar[bool] = True
    done_word: ClassVar[str] = "imported"
    skipped_word: ClassVar[str] = "left out: name taken, expired, or the console's own"

    def title(self, job: Job) -> str:
        return f"Import {job.params['label']}"[:300]

    def notes(self, job: Job) -> list[tuple[str, str]]:
        old, new = (printable(from_url(job.params[name])) for name in ("old", "new"))
        names = [("Names", f"{old}… become {new}…")] if old != new else []
        return [*names, ("Conflicts", CONFLICTS[job.params["conflict"]])]

    def step(self, work: Work) -> bool:
        archive = keeping.of(work.params["archive"])
        if work.params["conflict"] == "replace" and not kept_for_undo.ready(work, work.server):
            return False
        if work.params["conflict"] == "fail" and not work.checkpoint.get("free"):
            return self._check(work, archive)
        reader = self._reader(archive, work.checkpoint.get("reader"))
        if work.intent is not None:
            records = [reader.next() for _ in range(work.intent["count"])]
            self._decide(work, records, work.intent)
            work.log(f"Looked at {len(records):,} keys that were under way when it was cut off")
        else:
            before = dict(reader.state)
            records, is_over = self._batch(work, reader)
            if is_over and not records:
                return True
            taken = self._put(work, records)
            if taken < len(records):  # too large together: the rest is for the next step
                reader = self._reader(archive, before)
                for _ in range(taken):
                    reader.next()
        work.checkpoint["reader"] = reader.state
        return False

    # --- Reading the file -------------------------------------------------------------------

    @staticmethod
    def _reader(archive: Archive, state: dict[str, Any] | None) -> Any:
        reader = reader_of(archive, state)
        if state is None:
            reader.header()
        return reader

    @staticmethod
    def _batch(work: Work, reader: Any) -> tuple[list[Any], bool]:
        """Whole keys with different names, or one part of a large key; and whether that is all."""
        most = max(1, min(MOST, work.pace.batch(MOST * EACH) // EACH))
        begun, before = reader.state["at"], dict(reader.state)
        records: list[Any] = []
        names: set[bytes] = set()
        while len(records) < most and reader.state["at"] - begun < BYTES:
            before = dict(reader.state)
            found = reader.next()
            if found is None:
                reader.state = before
                return records, True
            is_alone = isinstance(found, Dropped) or found.number > 1 or not found.is_last
            if records and (is_alone or found.key in names):
                reader.state = before
                break
            records.append(found)
            names.add(found.key)
            if is_alone:
                break
        return records, False

    # --- The policy "fail" ------------------------------------------------------------------

    def _check(self, work: Work, archive: Archive) -> bool:
        """Walk the file for names that are taken, before anything is written."""
        reader = self._reader(archive, work.checkpoint.get("checked"))
        clock = Clock()
        while not clock.is_over:
            names, found = [], None
            for _ in range(MOST):
                found = reader.next()
                if found is None:
                    break
                if isinstance(found, Part) and found.number == 1:
                    names.append(renamed(found.key, work.params))
            names = [name for name in names if not work.server.protects(name)]
            with paced(work, len(names)):
                there = Bulk(work.redis).exist(names) if names else []
            taken = [name for name, is_there in zip(names, there, strict=True) if is_there]
            if taken:
                raise NamesTaken(
                    f"Nothing was written: {printable(taken[0])[:200]} is taken"
                    + (f", and {len(taken) - 1:,} names near it." if taken[1:] else ".")
                )
            if found is None:
                work.checkpoint["free"] = True
                work.log("No name is taken: writing begins")
                return False
        work.checkpoint["checked"] = reader.state
        return False

    # --- Writing ----------------------------------------------------------------------------

    def _put(self, work: Work, records: list[Any]) -> int:
        """Do a batch; how many of its records."""
        first = records[0]
        if isinstance(first, Dropped):
            work.log("A key that its export had dropped was left out")
            work.count(skipped=work.checkpoint.pop("skip", None) is None)
            return 1
        if work.checkpoint.get("skip") == to_url(first.key) and first.number > 1:
            if first.is_last:
                del work.checkpoint["skip"]
            return 1
        if not first.is_last:
            self._part(work, first)
            return 1
        names = [renamed(part.key, work.params) for part in records]
        prepared, over, taken = self._prepare(work, names)
        work.intend({"count": taken, **prepared})
        records, names = records[:taken], names[:taken]
        words = self._barred(work, names, prepared)
        self._send(work, records, names, over, words)
        self._tell(work, records, prepared, words)
        return taken

    def _part(self, work: Work, part: Part) -> None:
        """A part that is not a key's last: added beside the name, which nobody sees."""
        name = renamed(part.key, work.params)
        [word] = self._barred(work, [name], {"there": self._there(work, [name])})
        if not word:
            words = [""]
            self._send(work, [part], [name], [None], words)
            word = "" if words == ["put"] else words[0]
        if word:
            work.checkpoint["skip"] = to_url(part.key)
            self._count(work, [part], [word])

    def _prepare(self, work: Work, names: list[bytes]) -> tuple[dict[str, Any], list[Taken], int]:
        """What the intention keeps, what may be overwritten, and of how many names."""
        if work.params["conflict"] != "replace":
            return {"there": self._there(work, names)}, [None] * len(names), len(names)
        own = [work.server.protects(name) for name in names]
        asked = [name for name, is_own in zip(names, own, strict=True) if not is_own]
        found = kept_for_undo.take(work, work.redis, asked) if asked else []
        if len(found) < len(asked):
            names = names[: names.index(asked[len(found)])]
        known = dict(zip(asked, found, strict=False))
        taken: list[Taken] = [known.get(name) for name in names]
        dumps = [one for one in taken if isinstance(one, Dump)]
        kept = kept_for_undo.removal(work).keep(dumps)
        why = {
            n: kept_for_undo.why_not(one)
            for n, one in enumerate(taken)
            if one is not None and not isinstance(one, Dump)
        }
        there = "".join("1" if isinstance(one, Dump) else "0" for one in taken)
        return {"there": there, "chunks": kept.chunks, "why": why}, taken, len(names)

    def _there(self, work: Work, names: list[bytes]) -> str:
        """A mark for each name: "1" it is taken, "0" it is free."""
        with paced(work, len(names)):
            found = Bulk(work.redis).exist(names)
        return "".join("0" if one is False else "1" for one in found)

    @staticmethod
    def _barred(work: Work, names: Sequence[bytes], prepared: dict[str, Any]) -> list[str]:
        """The word of each name that nothing is sent for, "" for the others."""
        why = {int(n): text for n, text in prepared.get("why", {}).items()}
        skips = work.params["conflict"] != "replace"
        return [
            OWN if work.server.protects(name)
            else why.get(n, "") or ("taken" if skips and prepared["there"][n] == "1" else "")
            for n, name in enumerate(names)
        ]  # fmt: skip

    def _send(
        self, work: Work, parts: Sequence[Part], names: Sequence[bytes], over: Sequence[Taken],
        words: list[str],
    ) -> None:  # fmt: skip
        """Put what has no word yet, and fill in the words."""
        left = [n for n, word in enumerate(words) if not word]
        token = b"%d" % work.job.pk
        puts = [Put(parts[n], names[n], over[n], token) for n in left]
        if not puts:
            return
        with paced(work, len(puts) * EACH):
            told = Putting(work.redis).put(puts)
        for n, word in zip(left, told, strict=True):
            words[n] = word

    # --- After a cut ------------------------------------------------------------------------

    def _decide(self, work: Work, records: list[Part], intent: dict[str, Any]) -> None:
        """Find out which of the keys had arrived; send the others."""
        names = [renamed(part.key, work.params) for part in records]
        words = self._barred(work, names, intent)
        over: list[Taken] = [None] * len(names)
        if work.params["conflict"] == "replace":
            dumps = iter(kept_for_undo.dumps_of(intent["chunks"]))
            over = [next(dumps) if mark == "1" else None for mark in intent["there"]]
        open_ones = [n for n, word in enumerate(words) if not word]
        now = self._now(work, [names[n] for n in open_ones])
        for n, one in zip(open_ones, now, strict=True):
            if over[n] is None:
                words[n] = "put" if one is not None else ""
            elif one != over[n]:
                words[n] = "put" if _is_of(records[n], one) else "perhaps"
        self._send(work, records, names, over, words)
        self._tell(work, records, intent, words)

    @staticmethod
    def _now(work: Work, names: list[bytes]) -> list[Taken]:
        found: list[Taken] = []
        while len(found) < len(names):
            found += kept_for_undo.take(work, work.redis, names[len(found) :])
        return found

    # --- Telling ----------------------------------------------------------------------------

    def _tell(
        self, work: Work, parts: Sequence[Part], prepared: dict[str, Any], words: list[str]
    ) -> None:
        if work.params["conflict"] == "replace":
            settled = {"put": "overwritten", "perhaps": "perhaps"}
            kept_for_undo.settle(
                work, prepared["chunks"],
                [settled.get(word, "stayed")
                 for word, mark in zip(words, prepared["there"], strict=True) if mark == "1"],
            )  # fmt: skip
        self._count(work, parts, words)

    @staticmethod
    def _count(work: Work, parts: Sequence[Part], words: Sequence[str]) -> None:
        told = Counter(words)
        for word in told:
            if is_trouble(word):  # it may pass: the step runs again and looks at each key
                raise ResponseError(word.removeprefix("refused: "))
        acted = told.keys() - SKIPPED
        if acted and all(map(_is_of_the_command, acted)):
            raise NoPermissionError(acted.pop().removeprefix("refused: "))
        for part, word in zip(parts, words, strict=True):
            if word == "put":
                work.count(done=1)
            elif word in SKIPPED:
                work.count(skipped=1)
            else:
                work.fail(part.key, PERHAPS if word == "perhaps" else word)
        left_out = ", ".join(f"{told[w]:,} {n}" for w, n in _LEFT_OUT.items() if told[w])
        if left_out:
            work.log(f"Left out: {left_out}")


_LEFT_OUT = {"taken": "with a name that is taken", "expired": "expired", OWN: "the console's own"}


def _is_of(part: Part, now: Taken) -> bool:
    """Whether what is at a name that was to be replaced can be what was sent: not what was kept."""
    return isinstance(now, Dump) and (now.type, now.expires_at) == (part.type, part.expires_at)
