"""The job that searches: names by SCAN, their values some at a time; the matches join a list."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar

from dashboard.jobs.kinds import Kind
from dashboard.keys.bulk.freezing import TooMany, Writer
from dashboard.keys.bulk.models import KeyList
from dashboard.keys.bulk.timing import Clock, paced
from dashboard.keys.searching import cost, telling
from dashboard.keys.searching.scope import Scope
from redisops.keys import from_url, to_url
from redisops.searching import Bounds, Search, parse
from redisops.sweeps import Measure, Sweep

if TYPE_CHECKING:
    from dashboard.jobs.models import Job
    from dashboard.jobs.work import Work

BATCH = 500  # commands in one pipeline
SEARCHES_AT_ONCE = 4


class SearchValues(Kind):
    """Looks into values; changes nothing on the server.

    The checkpoint has the names that were scanned and not yet looked into, so a search that is
    cut off goes on with them. ``bounds`` is what one look may cost.
    """

    name: ClassVar[str] = "keys.search"
    permission: ClassVar[str] = "keys.search"
    group: ClassVar[str] = "keys.search"
    template: ClassVar[str] = "keys/searching/_job.html"
    done_word: ClassVar[str] = "searched"
    skipped_word: ClassVar[str] = "left out because they are the console's own"
    bounds = Bounds()

    def __init__(self) -> None:
        self._writers: dict[int, Writer] = {}

    def title(self, job: Job) -> str:
        return f"Search {job.params['label'][:200]} for {job.params['form']}"

    def notes(self, job: Job) -> list[tuple[str, str]]:
        return [
            ("Reads only", "SCAN for names; then type, size and the beginning of each value."),
            ("Bounds", cost.bounds_words(self.bounds)),
            ("Not searched", "the console's own keys"),
        ]

    def panel(self, job: Job) -> dict[str, Any]:
        return {"told": telling.Told(job)}

    def step(self, work: Work) -> bool:
        key_list = KeyList.objects.select_related("server").get(pk=work.params["list"])
        try:
            return self._go(work, key_list)
        except TooMany as error:
            why = str(error)
            self._writers.pop(work.job.pk, None)
            work.log(why)
            work.also(lambda: key_list.refuse(why))
            work.checkpoint = {**work.checkpoint, "told": None}
            return True

    def finished(self, work: Work) -> None:
        """The list is ready to be acted on."""
        told = work.checkpoint.get("told")
        if told is not None:
            KeyList(pk=work.params["list"]).close(**told)

    def _go(self, work: Work, key_list: KeyList) -> bool:
        at = work.checkpoint
        scope = Scope.of(work.params)
        writer = self._writer(work, key_list)
        search = Search(
            work.redis, parse(work.params["query"]), how=work.params["how"], bounds=self.bounds
        )
        walk = _Walk(work, scope)
        clock = Clock()
        notes = Counter(at.get("notes") or {})
        while True:
            if walk.waiting:
                some = walk.waiting[: max(1, work.pace.batch(BATCH) // search.each)]
                with paced(work, len(some) * search.each):
                    looked = search.look(some)
                walk.waiting = walk.waiting[len(looked) :]
                writer.add([one.key for one in looked if one.match])
                for one in looked:
                    notes.update(one.notes)
                work.count(done=len(looked))
            elif walk.is_done or not walk.scan(key_list):
                break
            if clock.is_over:
                break
        work.also(writer.flush())
        missing = sorted({*at.get("missing", []), *search.missing, *walk.missing})
        at.update(walk.kept, found=writer.total, notes=dict(notes), missing=missing)
        if not walk.is_done or walk.waiting:
            return False
        self._writers.pop(work.job.pk, None)
        at["told"] = {"total": writer.total, "protected": at["own"]}
        work.count(total=work.job.counted + sum(work.counted[n] for n in ("done", "skipped")))
        return True

    def _writer(self, work: Work, key_list: KeyList) -> Writer:
        """This process's writer of the job, or a new one that reads what is there."""
        known = self._writers.get(work.job.pk)
        if known is None or known.total != work.checkpoint.get("found", 0):
            if len(self._writers) >= SEARCHES_AT_ONCE:
                self._writers.clear()
            known = self._writers[work.job.pk] = Writer(key_list)
        return known


class _Walk:
    """The names of one step: those left from the last one, then more by SCAN."""

    def __init__(self, work: Work, scope: Scope) -> None:
        at = work.checkpoint
        self.work = work
        self.scope = scope
        self.waiting = [from_url(name) for name in at.get("waiting", [])]
        self.is_done: bool = at.get("walked", False)
        self._place: str | None = at.get("place")
        self._figures = {name: at.get(name, 0) for name in ("own", "scanned", "keyspace")}
        self._sweep: Sweep | None = None
        self.missing: set[str] = set()

    @property
    def kept(self) -> dict[str, Any]:
        """Where it is, for the checkpoint."""
        waiting = [to_url(key) for key in self.waiting]
        return {"waiting": waiting, "walked": self.is_done, "place": self._place, **self._figures}

    def scan(self, key_list: KeyList) -> bool:
        """More names, if there are; whether this step may ask for more."""
        if self.scope.only is not None:
            self.is_done = True
            self._take(self._filtered([self.scope.only], self.scope.type))
            return True
        sweep = self._sweep or self._begun()
        if not sweep.goes_on():
            return False
        with paced(self.work, sweep.commands):
            found = sweep.scan()
        self._place = sweep.place
        self.is_done = self._place is None
        self._figures |= {"scanned": sweep.scanned, "keyspace": sweep.total}
        if self.scope.prefix:
            found = [key for key in found if key.startswith(self.scope.prefix)]
        self._take(self._filtered(found))
        return True

    def _begun(self) -> Sweep:
        scope = self.scope
        sweep = Sweep(self.work.redis, self._place, scope.pattern, scope.type or None)
        with paced(self.work, sweep.commands):
            sweep.begin()
        if sweep.again:
            self.work.log("The server is another process than before: its keys are walked again")
        self._sweep = sweep
        return sweep

    def _take(self, found: list[bytes]) -> None:
        found = list(dict.fromkeys(found))
        self.waiting = [key for key in found if not self.work.server.protects(key)]
        own = len(found) - len(self.waiting)
        self._figures["own"] += own
        self.work.count(skipped=own)

    def _filtered(self, keys: list[bytes], type: str = "") -> list[bytes]:
        """Those that pass the filters by expiry, size and rest, which SCAN does not know.

        ``type`` is asked of keys that no SCAN has found.
        """
        passes = self.scope.filter.passes
        if not keys or not (self.scope.filter or type):
            return keys
        measure = Measure(self.work.redis)
        kept: list[bytes] = []
        size = max(1, self.work.pace.batch(BATCH) // measure.each)
        for start in range(0, len(keys), size):
            part = keys[start : start + size]
            with paced(self.work, len(part) * measure.each):
                found = measure.facts(part)
            kept += [
                one.key
                for one in found
                if one and type in ("", one.type) and passes(one.ttl, one.size, one.idle)
            ]
        self.missing |= measure.missing
        return kept
