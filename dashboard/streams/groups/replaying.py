"""The job that replays dead letters, some a second, each once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar

from redis.exceptions import ResponseError

from dashboard.jobs.charging import charge
from dashboard.jobs.kinds import Kind
from redisops.keys import from_url
from redisops.streams.dead import dead_key
from redisops.streams.replaying import DeadLetters

if TYPE_CHECKING:
    from dashboard.jobs.models import Job
    from dashboard.jobs.work import Work

EACH = 3
"""Commands of one letter: read it, add the entry, delete the letter."""
USUAL = 50
FASTEST = 5_000
MOST = 100
WHY = {
    "foreign": "it is no dead letter of this stream",
    "perhaps": "it may have been added when the job was cut off: look at it before you replay it",
}


class ReplayLetters(Kind):
    """Adds dead letters to their stream again, the oldest first.

    Letters that come while it runs are left alone. Where both streams are in one slot, an
    interruption leaves each letter replayed or not; else one that may have been is a failure that
    says so.
    """

    name: ClassVar[str] = "streams.replay"
    permission: ClassVar[str] = "streams.change"
    unit: ClassVar[str] = "dead letter"
    done_word: ClassVar[str] = "replayed"
    skipped_word: ClassVar[str] = "already gone"

    def title(self, job: Job) -> str:
        return f"Replay dead letters of {job.params['name']}"

    def notes(self, job: Job) -> list[tuple[str, str]]:
        ids = job.params["ids"]
        which = f"{len(ids):,} that were chosen" if ids else f"all up to {job.params['until']}"
        return [
            ("Letters", which),
            ("Rate", f"at most {job.params['rate']:,} a second"),
            ("Goes to", "every group of the stream, under new ids"),
        ]

    def step(self, work: Work) -> bool:
        key = from_url(work.params["stream"])
        if work.server.protects(key):
            raise PermissionError("the stream belongs to the console itself")
        letters = DeadLetters(work.redis, key)
        if work.intent is not None:
            ids = work.intent["ids"]
            work.log(f"Looked at {len(ids):,} letters that were under way when it was cut off")
            self._replay(work, letters, ids, after_cut=True)
            return False
        ids = self._next(work, letters)
        if not ids:
            return True
        work.intend({"ids": ids})
        self._replay(work, letters, ids, after_cut=False)
        return False

    def _next(self, work: Work, letters: DeadLetters) -> list[str]:
        # Half a second's worth at most, so that it can be paused and no burst goes out.
        at_once = max(1, min(MOST, work.params["rate"] // 2))
        most = max(1, work.pace.batch(at_once * EACH) // EACH)
        chosen = work.params["ids"]
        if chosen:
            position: int = work.checkpoint.get("position", 0)
            return list(chosen[position : position + most])
        return letters.ids(work.checkpoint.get("after"), work.params["until"], count=most)

    def _replay(self, work: Work, letters: DeadLetters, ids: list[str], *, after_cut: bool) -> None:
        work.pace.wait(len(ids) * EACH)
        began, own = time.monotonic(), time.thread_time()
        words = letters.replay(ids, after_cut=after_cut)
        charge(work, len(ids) * EACH, time.monotonic() - began, own=time.thread_time() - own)
        refused = next((word for word in words if word.startswith("refused: ")), None)
        if refused is not None:  # it may pass: the step runs again, and looks at each letter
            raise ResponseError(refused.removeprefix("refused: "))
        if "missing" in words:
            raise LookupError("The stream is gone: the letters stay where they are.")
        self._tell(work, ids, words, after_cut=after_cut)
        work.checkpoint["after"] = ids[-1]
        work.checkpoint["position"] = work.checkpoint.get("position", 0) + len(ids)

    @staticmethod
    def _tell(work: Work, ids: list[str], words: list[str], *, after_cut: bool) -> None:
        for id, word in zip(ids, words, strict=True):
            if word in WHY:
                work.fail(dead_key(from_url(work.params["stream"])), f"{id}: {WHY[word]}")
        gone = words.count("gone")
        done = len(words) - gone - sum(word in WHY for word in words)
        # What was there before the cut and is gone after it was replayed.
        work.count(done=done + gone * after_cut, skipped=gone * (not after_cut))

    def result_url(self, job: Job) -> str:
        from django.urls import reverse

        return reverse("streams:groups", args=[job.server.slug, from_url(job.params["stream"])])

    def panel(self, job: Job) -> dict[str, Any]:
        return {}
