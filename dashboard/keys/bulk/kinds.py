"""Delete, expire and persist the keys of a list; how a batch is walked is in ``walking``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from dashboard.keys.bulk import keeping
from dashboard.keys.bulk.timing import paced
from dashboard.keys.bulk.walking import Acting, Words, filled
from redisops.bulk import Bulk
from redisops.dumps import Dump

if TYPE_CHECKING:
    from dashboard.jobs.models import Job
    from dashboard.jobs.work import Work

CLOCKS = 3  # commands that ask the time before keys get their expiry; more on a larger cluster


class DeleteKeys(Acting):
    """UNLINK, each key kept in the recycle bin first (unless ``undo`` was declined)."""

    name: ClassVar[str] = "keys.delete"
    undo: ClassVar[bool] = True
    verb: ClassVar[str] = "Delete"
    each: ClassVar[int] = 8
    done: ClassVar[frozenset[str]] = frozenset({"removed"})
    done_word: ClassVar[str] = "deleted"
    bytes_word: ClassVar[str] = "of dumps kept for undo"

    def notes(self, job: Job) -> list[tuple[str, str]]:
        kept = "each key is kept for undo first" if job.params["undo"] else "no undo was wanted"
        if job.params["undo"] and job.params.get("too_big"):
            kept += ", but for what is too big"
        return [*super().notes(job), ("Undo", kept), ("Command", "UNLINK, in batches")]

    def ready(self, work: Work) -> bool:
        return not work.params["undo"] or keeping.ready(work, work.server)

    def prepare(self, work: Work, keys: list[bytes]) -> tuple[dict[str, Any], Any, int]:
        bulk = Bulk(work.redis)
        if not work.params["undo"]:
            with paced(work, len(keys)):
                there = bulk.exist(keys)
            return (
                {"there": "".join("0" if one is False else "1" for one in there)},
                None,
                len(keys),
            )
        taken = keeping.take(work, work.redis, keys)
        dumps = [one for one in taken if isinstance(one, Dump)]
        kept = keeping.removal(work).keep(dumps)
        absent = {n: keeping.why_not(one) for n, one in enumerate(taken)
                  if not isinstance(one, Dump)}  # fmt: skip
        work.count(bytes=sum(dump.size for dump in dumps))
        return {"chunks": kept.chunks, "absent": absent}, dumps, len(taken)

    def act(self, work: Work, keys: list[bytes], prepared: dict[str, Any], carried: Any) -> Words:
        if not work.params["undo"]:
            with paced(work, len(keys)):
                return Bulk(work.redis).unlink(keys)
        absent = self._without(work, keys, prepared["absent"])
        return keeping.spread(len(keys), absent, keeping.remove(work, carried))

    @staticmethod
    def _without(work: Work, keys: list[bytes], absent: dict[Any, str]) -> dict[Any, str]:
        """Delete what is too big to be kept, where that was asked for; the words for all absent.

        They were there when they were measured, so what is gone after a cut was removed.
        """
        if not work.params.get("too_big"):
            return absent
        places = [n for n, word in absent.items() if word.startswith("too big")]
        with paced(work, len(places)):
            told = Bulk(work.redis).unlink([keys[int(n)] for n in places])
        words = ["removed" if word == "gone" else word for word in told]
        return absent | dict(zip(places, words, strict=True))

    def look(self, work: Work, keys: list[bytes], prepared: dict[str, Any]) -> Words:
        if not work.params["undo"]:
            with paced(work, len(keys)):
                told = Bulk(work.redis).unlink(keys)
            return [
                "removed" if word == "gone" and before == "1" else word
                for word, before in zip(told, prepared["there"], strict=True)
            ]
        # The script does nothing to a key that is gone or another by now.
        told = keeping.remove(work, keeping.dumps_of(prepared["chunks"]))
        words = {"gone": "removed", "changed": "perhaps"}
        told = [words.get(word, word) for word in told]
        return keeping.spread(len(keys), self._without(work, keys, prepared["absent"]), told)

    def settle(self, work: Work, prepared: dict[str, Any], words: Words, *, cut: bool) -> None:
        if work.params["undo"]:
            absent = {int(n) for n in prepared["absent"]}  # JSON makes texts of numbers
            kept = [word for n, word in enumerate(words) if n not in absent]
            keeping.settle(work, prepared["chunks"], kept)


class ExpireKeys(Acting):
    """PEXPIREAT: an absolute time for each key, fixed when the job began."""

    name: ClassVar[str] = "keys.expire"
    verb: ClassVar[str] = "Set the expiry of"
    each: ClassVar[int] = 1
    done: ClassVar[frozenset[str]] = frozenset({"set"})
    done_word: ClassVar[str] = "given an expiry"

    def times(self, work: Work, keys: Sequence[bytes]) -> list[int]:
        """When each key expires, Unix milliseconds: later by what its name and the salt say."""
        at, jitter = work.params["at"], work.params["jitter"]
        if not jitter:
            return [at] * len(keys)
        salt = bytes.fromhex(work.params["salt"])
        return [
            at
            + int.from_bytes(hashlib.blake2b(key, digest_size=8, key=salt).digest(), "big")
            % (jitter + 1)
            for key in keys
        ]

    def act(self, work: Work, keys: list[bytes], prepared: dict[str, Any], carried: Any) -> Words:
        with paced(work, len(keys) + CLOCKS):
            return Bulk(work.redis).expire(keys, self.times(work, keys))

    def look(self, work: Work, keys: list[bytes], prepared: dict[str, Any]) -> Words:
        times = self.times(work, keys)
        with paced(work, len(keys) * 2):
            words = Bulk(work.redis).look_expire(keys, times)
        left = [n for n, word in enumerate(words) if not word]
        with paced(work, len(left) + CLOCKS):
            told = Bulk(work.redis).expire([keys[n] for n in left], [times[n] for n in left])
        return filled(words, left, told)


class PersistKeys(Acting):
    """PERSIST, for those keys that have an expiry."""

    name: ClassVar[str] = "keys.persist"
    verb: ClassVar[str] = "Remove the expiry of"
    each: ClassVar[int] = 3
    done: ClassVar[frozenset[str]] = frozenset({"persisted"})
    done_word: ClassVar[str] = "made to stay"
    skipped: ClassVar[frozenset[str]] = frozenset({"gone", "unchanged"})
    skipped_word: ClassVar[str] = "had no expiry or were gone"

    def prepare(self, work: Work, keys: list[bytes]) -> tuple[dict[str, Any], Any, int]:
        with paced(work, len(keys)):
            found = Bulk(work.redis).expiries(keys)
        timed = "".join("1" if at is None or at >= 0 else "0" if at == -1 else "-" for at in found)
        return {"timed": timed}, None, len(keys)

    def act(self, work: Work, keys: list[bytes], prepared: dict[str, Any], carried: Any) -> Words:
        return self._persist(work, keys, prepared, {})

    def look(self, work: Work, keys: list[bytes], prepared: dict[str, Any]) -> Words:
        had = [n for n, mark in enumerate(prepared["timed"]) if mark == "1"]
        with paced(work, len(had) * 2):
            words = Bulk(work.redis).look_persist([keys[n] for n in had])
        known = {n: word for n, word in zip(had, words, strict=True) if word}
        return self._persist(work, keys, prepared, known)

    def _persist(
        self, work: Work, keys: list[bytes], prepared: dict[str, Any], known: dict[int, str]
    ) -> Words:
        marks = prepared["timed"]
        words = [
            known.get(n) or ("" if mark == "1" else "unchanged" if mark == "0" else "gone")
            for n, mark in enumerate(marks)
        ]
        left = [n for n, word in enumerate(words) if not word]
        with paced(work, len(left)):
            told = Bulk(work.redis).persist([keys[n] for n in left])
        return filled(words, left, told)
