"""What acts on a frozen list, whatever it does: one batch a step, each key once.

A step prepares a batch (reads what is so, keeps what will be lost), commits its intention with
that, acts, and is committed. After a crash or a lost reply the next step finds the intention and
looks at each key: what was done is counted, only the rest is acted on.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from redis.exceptions import NoPermissionError, ResponseError

from dashboard.jobs.kinds import Kind
from dashboard.keys.bulk.models import KeyList
from redisops.bulk import Bulk, is_trouble
from redisops.keys import from_url
from redisops.values.calls import is_cluster

if TYPE_CHECKING:
    from dashboard.jobs.models import Job
    from dashboard.jobs.work import Work

MOST = 1_000  # keys of one step
Words = list[str]

WHY = {
    "changed": "somebody wrote it meanwhile, so it was left alone",
    "taken": "the new name is taken",
    "perhaps": "it was written again while the job was cut off: look at it; "
    "its earlier value is in the recycle bin",
}


class Acting(Kind):
    """Walks a list by position. A subclass says how a batch is prepared, done and looked at."""

    permission: ClassVar[str] = "keys.bulk"
    template: ClassVar[str] = "keys/bulk/_job.html"
    verb: ClassVar[str] = ""
    each: ClassVar[int] = 1
    """Commands of a key at most, those inside scripts included."""
    done: ClassVar[frozenset[str]] = frozenset()
    """Words that count as done."""
    skipped: ClassVar[frozenset[str]] = frozenset({"gone"})
    skipped_word: ClassVar[str] = "already gone"

    def __init__(self) -> None:
        self._lists: dict[int, tuple[KeyList, frozenset[bytes]]] = {}

    def title(self, job: Job) -> str:
        return f"{self.verb} {job.params['label']}"[:300]

    def notes(self, job: Job) -> list[tuple[str, str]]:
        out = len(job.params.get("left_out", []))
        told = [("Keys", job.params["label"])]
        return [*told, ("Left out", f"{out:,} by hand")] if out else told

    def step(self, work: Work) -> bool:
        if not self.ready(work):
            return False
        if work.intent is not None:
            self._go_on(work, work.intent)
        else:
            self._begin_batch(work)
        return self._is_over(work)

    # --- For subclasses -------------------------------------------------------------------

    def ready(self, work: Work) -> bool:
        """Do what comes before the first batch; False: that took this step."""
        return True

    def prepare(self, work: Work, keys: list[bytes]) -> tuple[dict[str, Any], Any, int]:
        """What the intention keeps (JSON), what ``act`` needs beside it, and of how many keys."""
        return {}, None, len(keys)

    @abstractmethod
    def act(self, work: Work, keys: list[bytes], prepared: dict[str, Any], carried: Any) -> Words:
        """Do it; a word for each key."""

    @abstractmethod
    def look(self, work: Work, keys: list[bytes], prepared: dict[str, Any]) -> Words:
        """After a cut: do or find out what became of each key; a word for each."""

    def settle(self, work: Work, prepared: dict[str, Any], words: Words, *, cut: bool) -> None:
        """Say what became of what was kept, by ``work.also``."""

    # --- The walk -------------------------------------------------------------------------

    def _begin_batch(self, work: Work) -> None:
        most = max(1, min(MOST, work.pace.batch(MOST * self.each) // self.each))
        position = work.checkpoint.get("position", 0)
        raw = self._keys(work, position, most)
        keys = self.chosen(work, raw)
        if not keys:
            self._move(work, position + len(raw))
            return
        prepared, carried, taken = self.prepare(work, keys)
        if taken < len(keys):  # too large together: the rest is for the next step
            keys = keys[:taken]
            raw = raw[: raw.index(keys[-1]) + 1]
        work.intend({"position": position, "count": len(raw), **prepared})
        self._tell(work, keys, prepared, self.act(work, keys, prepared, carried), cut=False)
        self._move(work, position + len(raw))

    def _go_on(self, work: Work, intent: dict[str, Any]) -> None:
        position, count = intent["position"], intent["count"]
        keys = self.chosen(work, self._keys(work, position, count))
        words = self.look(work, keys, intent)
        work.log(f"Looked at {len(keys):,} keys that were under way when it was cut off")
        self._tell(work, keys, intent, words, cut=True)
        self._move(work, position + count)

    def _tell(
        self, work: Work, keys: list[bytes], prepared: dict[str, Any], words: Words, *, cut: bool
    ) -> None:
        told = Counter(words)
        for word in told:
            if is_trouble(word):  # it may pass: the step runs again and looks at each key
                raise ResponseError(word.removeprefix("refused: "))
        acted = told.keys() - self.skipped
        if len(keys) > 1 and acted and all(map(_is_of_the_command, acted)):
            raise NoPermissionError(acted.pop().removeprefix("refused: "))
        self.settle(work, prepared, words, cut=cut)
        if told.keys() - self.done - self.skipped:
            for key, word in zip(keys, words, strict=True):
                if word not in self.done and word not in self.skipped:
                    work.fail(key, WHY.get(word, word))
        work.count(
            done=sum(told[word] for word in self.done),
            skipped=sum(told[word] for word in self.skipped),
        )
        self._tell_nodes(work, keys, words)

    def _tell_nodes(self, work: Work, keys: list[bytes], words: Words) -> None:
        """What was done and what failed on each primary of a cluster."""
        if not is_cluster(work.redis):
            return
        at = Counter(zip(Bulk(work.redis).places(keys), words, strict=True))
        for (place, word), count in at.items():
            if word in self.done:
                work.node(place, done=count)
            elif word not in self.skipped:
                work.node(place, failed=count)

    def _move(self, work: Work, position: int) -> None:
        work.checkpoint["position"] = position

    def _is_over(self, work: Work) -> bool:
        over: bool = work.checkpoint.get("position", 0) >= work.params["total"]
        if over:
            self._lists.pop(work.job.pk, None)
        return over

    def chosen(self, work: Work, keys: list[bytes]) -> list[bytes]:
        """The keys of a stretch that are acted on: not what was left out by hand."""
        out = self._list(work)[1]
        return [key for key in keys if key not in out] if out else keys

    def _keys(self, work: Work, position: int, count: int) -> list[bytes]:
        return self._list(work)[0].keys(position, count)

    def _list(self, work: Work) -> tuple[KeyList, frozenset[bytes]]:
        known = self._lists.get(work.job.pk)
        if known is None:
            if len(self._lists) > 8:
                self._lists.clear()
            out = frozenset(from_url(key) for key in work.params.get("left_out", []))
            known = KeyList.objects.get(pk=work.params["list"]), out
            self._lists[work.job.pk] = known
        return known


def _is_of_the_command(word: str) -> bool:
    """Whether the user may not run the command at all: no key would fare better."""
    return word.startswith("refused: NOPERM") and "access" not in word


def filled(words: Words, places: Sequence[int], told: Sequence[str]) -> Words:
    """``words`` with those that were still open."""
    for n, word in zip(places, told, strict=True):
        words[n] = word
    return words
