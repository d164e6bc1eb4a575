"""The kind of job that counts keys into a frozen list and says what is unlike the rest.

Three phases, each resumable: "walk" sweeps the keyspace (a selection has no such phase), "look"
goes through what was found for types, lengths and a sample, "names" asks which new names of a
rename are taken.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from dashboard.jobs.kinds import Kind
from dashboard.keys.bulk import facts
from dashboard.keys.bulk.facts import Look
from dashboard.keys.bulk.freezing import TooMany, Writer
from dashboard.keys.bulk.models import MOST, KeyList
from dashboard.keys.bulk.timing import Clock, paced
from redisops import keys as names
from redisops.bulk import Bulk
from redisops.keys import from_url, to_url
from redisops.survey.samples import Facts
from redisops.sweeps import Measure, Sweep

if TYPE_CHECKING:
    from dashboard.jobs.models import Job
    from dashboard.jobs.work import Work

BATCH = 500
LISTS_AT_ONCE = 4
TAKEN_KEPT = 50


class ListKeys(Kind):
    """Counts keys; changes nothing on the server."""

    name: ClassVar[str] = "keys.list"
    permission: ClassVar[str] = "keys.browse"
    group: ClassVar[str] = ""
    done_word: ClassVar[str] = "found"
    skipped_word: ClassVar[str] = "left out because they are the console's own"

    most = MOST
    """Keys that a list holds; more are refused with a sentence."""

    def __init__(self) -> None:
        self._writers: dict[int, Writer] = {}

    def title(self, job: Job) -> str:
        return f"Count {job.params['label']}"[:300]

    def step(self, work: Work) -> bool:
        key_list = KeyList.objects.select_related("server").get(pk=work.params["list"])
        began = time.monotonic()
        phase = work.checkpoint.get("phase") or work.params["phase"]
        try:
            phase = getattr(self, f"_{phase}")(work, key_list)
        except TooMany as error:
            self._refuse(work, key_list, str(error))
            return True
        work.checkpoint["phase"] = phase
        seconds = work.checkpoint.get("seconds", 0.0) + time.monotonic() - began
        work.checkpoint["seconds"] = seconds
        if phase == "done":
            self._writers.pop(work.job.pk, None)
        return bool(phase == "done")

    def finished(self, work: Work) -> None:
        """The list is ready, with its facts."""
        told = work.checkpoint.get("told")
        if told is not None:
            KeyList(pk=work.params["list"]).close(**told)

    # --- Phases ---------------------------------------------------------------------------

    def _walk(self, work: Work, key_list: KeyList) -> str:
        """Sweep on for a moment; what is new and passes the filters joins the list."""
        at = work.checkpoint
        writer = self._writer(work, key_list)
        match = bytes(key_list.match) or names.glob_escape(bytes(key_list.prefix)) + b"*"
        sweep = Sweep(work.redis, at.get("place"), match, key_list.type or None)
        clock = Clock()
        with paced(work, sweep.commands):
            sweep.begin()
        kept = own = 0
        while sweep.goes_on():
            with paced(work, sweep.commands):
                found = sweep.scan()
            if key_list.prefix:
                found = [key for key in found if key.startswith(bytes(key_list.prefix))]
            taken, protected = writer.add(self._filtered(work, key_list, found))
            kept, own = kept + taken, own + protected
            if clock.is_over:
                break
        if sweep.again:
            work.log("The server is another process than before: its keys are walked again")
        work.also(writer.flush())
        place = sweep.place
        at.update(
            place=place, total=writer.total, protected=at.get("protected", 0) + own,
            scanned=sweep.scanned, keyspace=sweep.total,
        )  # fmt: skip
        work.count(done=kept, skipped=own)
        return "walk" if place is not None else "look"

    def _look(self, work: Work, key_list: KeyList) -> str:
        """Types, lengths and the sample of the next keys."""
        at = work.checkpoint
        total = at.get("total", key_list.total)
        look = Look(at.get("look"))
        measure = Measure(work.redis)
        position = at.get("position", 0)
        every = facts.one_in(total)
        clock = Clock()
        owned = facts.owned_prefixes(work.server.slug, names.fixed_start(_pattern(key_list)))
        while position < total and not clock.is_over:
            keys = key_list.keys(position, min(work.pace.batch(BATCH), total - position))
            self._look_at(work, look, measure, keys, position, every, total)
            look.named(keys, names.fixed_start(_pattern(key_list)), [rule[0] for rule in owned])
            look.placed(Bulk(work.redis).places(keys))
            position += len(keys)
            if work.params["phase"] == "look":  # a selection: no walk has counted its keys
                work.count(done=len(keys))
        look.state["refused"] = sorted({*look.state["refused"], *measure.missing})
        at.update(position=position, look=look.state)
        if position < total:
            return "look"
        self._conclude(work, look, measure, total, owned, key_list)
        return "names" if work.params.get("rename") and total else "done"

    def _names(self, work: Work, key_list: KeyList) -> str:
        """Which new names of a rename are taken already."""
        at = work.checkpoint
        old, new = (from_url(part) for part in work.params["rename"])
        told = at.setdefault("rename", {"taken": 0, "taken_keys": [], "outside": 0})
        total, position = at["told"]["total"], at.get("names", 0)
        clock = Clock()
        while position < total and not clock.is_over:
            keys = key_list.keys(position, min(work.pace.batch(BATCH), total - position))
            inside = [key for key in keys if key.startswith(old)]
            with paced(work, len(inside)):
                there = Bulk(work.redis).exist([new + key[len(old) :] for key in inside])
            taken = [key for key, is_there in zip(inside, there, strict=True) if is_there]
            told["taken"] += len(taken)
            told["outside"] += len(keys) - len(inside)
            told["taken_keys"] = [*told["taken_keys"], *map(to_url, taken)][:TAKEN_KEPT]
            position += len(keys)
        at["names"] = position
        if position < total:
            return "names"
        spelled = {"old": names.printable(old), "new": names.printable(new)}
        at["told"]["facts"]["rename"] = {**spelled, **told}
        return "done"

    # --- Parts ----------------------------------------------------------------------------

    def _writer(self, work: Work, key_list: KeyList) -> Writer:
        """This process's writer of the job, or a new one that reads what is there."""
        known = self._writers.get(work.job.pk)
        if known is None or known.total != work.checkpoint.get("total", 0):
            if len(self._writers) >= LISTS_AT_ONCE:
                self._writers.clear()  # bounded memory; they are made again from what is there
            known = self._writers[work.job.pk] = Writer(key_list, self.most)
        return known

    def _filtered(self, work: Work, key_list: KeyList, keys: list[bytes]) -> list[bytes]:
        """Those that pass the filters by expiry, size and rest, which SCAN does not know."""
        if not keys or not key_list.filter:
            return keys
        measure = Measure(work.redis)
        found: list[Facts | None] = []
        size = max(1, work.pace.batch(BATCH) // measure.each)
        for start in range(0, len(keys), size):
            part = keys[start : start + size]
            with paced(work, len(part) * measure.each):
                found += measure.facts(part)
        passes = key_list.filter.passes
        return [one.key for one in found if one is not None and passes(one.ttl, one.size, one.idle)]

    def _look_at(
        self, work: Work, look: Look, measure: Measure, keys: list[bytes], position: int,
        every: int, total: int,
    ) -> None:  # fmt: skip
        types: Sequence[str] = []
        lengths: Sequence[int | None] = [None] * len(keys)
        if total <= facts.EACH:
            with paced(work, len(keys)):
                types = measure.types(keys)
            with paced(work, len(keys)):
                lengths = measure.lengths(keys, types)
            look.typed(keys, types, lengths)
        chosen = [n for n in range(len(keys)) if (position + n) % every == 0]
        size = max(1, work.pace.batch(BATCH) // max(measure.each, 1))
        for start in range(0, len(chosen), size):
            part = chosen[start : start + size]
            some = [keys[n] for n in part]
            with paced(work, len(part) * measure.each):
                found = measure.facts(some)
            told = [lengths[n] for n in part]
            if not types:
                kinds = [one.type if one else "none" for one in found]
                with paced(work, len(some)):
                    told = measure.lengths(some, kinds)
                look.typed(some, kinds, told)
            look.measured(some, found, told, kept=True)

    def _conclude(
        self, work: Work, look: Look, measure: Measure, total: int, owned: Any, key_list: KeyList
    ) -> None:
        """Measure what is long or rare, and put the facts together."""
        state = look.state
        exact = total <= facts.EACH
        every = facts.one_in(total)
        if not exact and state["looked"]:
            scale = total / state["looked"]
            state["types"] = {kind: round(n * scale) for kind, n in state["types"].items()}
        longest = [from_url(key) for key in state["longest"]]
        rare = look.rare(total)
        some = list(dict.fromkeys([*longest, *rare]))
        found: list[Facts | None] = []
        size = max(1, work.pace.batch(BATCH) // max(measure.each, 1))
        for start in range(0, len(some), size):
            part = some[start : start + size]
            with paced(work, len(part) * measure.each):
                found += measure.facts(part)
        by_key = {one.key: one for one in found if one is not None}
        big = [by_key[key] for key in longest if key in by_key]
        sampled = set(some) if every == 1 else self._in_sample(key_list, total, every, some)
        memory, margin = look.weighed(total, big, sampled)
        lengths = state["longest"]
        odd_sizes = look.odd_sizes(total, memory, big)
        at = work.checkpoint
        user = work.job.by_id
        types = {kind: n for kind, n in state["types"].items() if n}
        at["told"] = {
            "total": total,
            "protected": at.get("protected", work.params["protected"]),
            "memory": memory,
            "margin": margin,
            "facts": {
                "scanned": at.get("scanned", total), "keyspace": at.get("keyspace"),
                "one_in": every, "measured": state["measured"], "exact_types": exact,
                "types": types, "expiry": state["expiry"], "samples": state["samples"],
                "odd_type": [facts.row(by_key[key], None) for key in rare if key in by_key],
                "odd_types": sum(
                    n for kind, n in types.items() if kind != "none" and n * facts.RARE < total
                ),
                "odd_size": [facts.row(one, lengths[to_url(one.key)]) for one in odd_sizes],
                "biggest": look.biggest(big),
                "idle": {"known": 0, "day": 0, "week": 0, "month": 0} | state["idle"],
                "beyond": {
                    "keys": state["beyond"] if state["near"] else 0,
                    "folders": [
                        [names.printable(from_url(folder)), n]
                        for folder, n in sorted(state["folders"].items(), key=lambda f: -f[1])[:10]
                    ] if state["near"] else [],
                },
                "owned": [
                    {"team": team, "prefix": spelled, "keys": state["owned"][to_url(prefix)],
                     "own": user in members}
                    for prefix, spelled, team, members in owned if to_url(prefix) in state["owned"]
                ],
                "nodes": state["nodes"],
                "seconds": round(at.get("seconds", 0.0), 3), "refused": state["refused"],
            },
        }  # fmt: skip
        at["look"] = None

    @staticmethod
    def _in_sample(key_list: KeyList, total: int, every: int, some: list[bytes]) -> set[bytes]:
        """Which of ``some`` were measured as part of the sample."""
        wanted, found = set(some), set[bytes]()
        position = 0
        for keys in key_list.every():
            first = -position % every
            found |= wanted.intersection(keys[first::every])
            position += len(keys)
        return found

    def _refuse(self, work: Work, key_list: KeyList, why: str) -> None:
        self._writers.pop(work.job.pk, None)
        work.log(why)
        work.also(lambda: key_list.refuse(why))
        work.checkpoint = {"phase": "done"}


def _pattern(key_list: KeyList) -> bytes:
    return bytes(key_list.match) or names.glob_escape(bytes(key_list.prefix)) + b"*"
