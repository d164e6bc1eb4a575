"""Give keys another prefix, and copy keys elsewhere: what both do to names that are taken.

Where a new prefix holds the old one (``a:`` becomes ``a:b:``), a new name may be in the list as
well. Such chains are walked from their free end: keys are done in passes, by how often the added
part already stands in their names, and the list itself is frozen, so that nothing is renamed twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from dashboard.keys.bulk import keeping
from dashboard.keys.bulk.timing import Clock, paced
from dashboard.keys.bulk.walking import Acting, Words, filled
from dashboard.servers import clients
from redisops.bulk import Bulk
from redisops.dumps import Dump, Taken
from redisops.keys import from_url, printable

if TYPE_CHECKING:
    from dashboard.jobs.models import Job
    from dashboard.jobs.work import Work

OVER = 5  # commands that the script runs for a key whose new name is overwritten
MOVING = 9  # commands that a key costs which goes to another slot
OWN = "refused: the new name belongs to the console"
Pairs = list[tuple[bytes, bytes]]


class Naming(Acting):
    """What renaming and copying share: pairs of names, and what is at the new ones."""

    skipped: ClassVar[frozenset[str]] = frozenset({"gone", "taken"})
    skipped_word: ClassVar[str] = "left alone: gone, or the new name is taken"

    def notes(self, job: Job) -> list[tuple[str, str]]:
        old, new = (printable(from_url(job.params[name])) for name in ("old", "new"))
        taken = {
            "skip": "left alone when the new name is taken",
            "replace": "what has the new name is kept for undo and replaced",
        }[job.params["conflict"]]
        told = [("Names", f"{old}… become {new}…")] if old != new else []
        return [*super().notes(job), *told, ("Conflicts", taken)]

    def pairs(self, work: Work, keys: Sequence[bytes]) -> Pairs:
        old, new = from_url(work.params["old"]), from_url(work.params["new"])
        return [(key, new + key[len(old) :] if key.startswith(old) else key) for key in keys]

    @staticmethod
    def replaces(work: Work) -> bool:
        return bool(work.params["conflict"] == "replace")

    def there(self, work: Work, redis: Any, names: Sequence[bytes]) -> str:
        """A mark for each name: "1" it is taken, "0" it is free."""
        with paced(work, len(names)):
            found = Bulk(redis).exist(names)
        return "".join("0" if one is False else "1" for one in found)

    def held(self, work: Work, redis: Any, pairs: Pairs) -> tuple[dict[str, Any], Any, int]:
        """What is at the new names, kept if it is to be replaced."""
        names = [new for _, new in pairs]
        if not self.replaces(work):
            return {"there": self.there(work, redis, names), "chunks": []}, None, len(pairs)
        taken = keeping.take(work, redis, names)
        dumps = [one for one in taken if isinstance(one, Dump)]
        kept = keeping.removal(work).keep(dumps)
        marks = "".join("1" if isinstance(one, Dump) else "0" for one in taken)
        why = {
            n: keeping.why_not(one)
            for n, one in enumerate(taken)
            if one is not None and not isinstance(one, Dump)
        }
        return {"there": marks, "chunks": kept.chunks, "why": why}, taken, len(taken)

    def settle(self, work: Work, prepared: dict[str, Any], words: Words, *, cut: bool) -> None:
        """The values at new names were overwritten where the word says done."""
        if self.replaces(work):
            kept = [
                "overwritten" if word in self.done else "stayed"
                for word, mark in zip(words, prepared["there"], strict=True)
                if mark == "1"
            ]
            keeping.settle(work, prepared["chunks"], kept)

    def over(self, prepared: dict[str, Any]) -> list[Taken]:
        """What was kept of each new name; None where it was free, or is not to be replaced."""
        if not prepared["chunks"]:
            return [None] * len(prepared["there"])
        dumps = iter(keeping.dumps_of(prepared["chunks"]))
        return [next(dumps) if mark == "1" else None for mark in prepared["there"]]

    @staticmethod
    def barred(work: Work, server: Any, pairs: Pairs, prepared: dict[str, Any]) -> Words:
        """ "" for each pair that may be tried, else its word."""
        why = {int(n): text for n, text in prepared.get("why", {}).items()}
        return [OWN if server.protects(new) else why.get(n, "") for n, (_, new) in enumerate(pairs)]


class RenameKeys(Naming):
    """RENAMENX (or RENAME); on a cluster DUMP and RESTORE where the slot changes."""

    name: ClassVar[str] = "keys.rename"
    verb: ClassVar[str] = "Rename"
    each: ClassVar[int] = 6
    done: ClassVar[frozenset[str]] = frozenset({"renamed"})
    done_word: ClassVar[str] = "renamed"

    def ready(self, work: Work) -> bool:
        if self.replaces(work) and not keeping.ready(work, work.server):
            return False
        if "passes" in work.checkpoint:
            return True
        return self._plan(work)

    def _plan(self, work: Work) -> bool:
        """Find out which passes there are, and count what stays as it is. No command is sent."""
        at = work.checkpoint
        depths, position = set(at.get("depths", [])), at.get("planned", 0)
        out, outside = self._list(work)[1], 0
        old = from_url(work.params["old"])
        clock = Clock()
        while position < work.params["total"] and not clock.is_over:
            keys = self._keys(work, position, 5_000)
            depths.update(depth(key, work.params) for key in keys if key.startswith(old))
            outside += sum(not key.startswith(old) and key not in out for key in keys)
            position += len(keys)
        work.count(skipped=outside)
        at.update(depths=sorted(depths), planned=position)
        if position >= work.params["total"]:
            grows = len(work.params["new"]) > len(work.params["old"])
            at["passes"] = sorted(depths, reverse=grows)
        return False

    def chosen(self, work: Work, keys: list[bytes]) -> list[bytes]:
        passes = work.checkpoint["passes"]
        old = from_url(work.params["old"])
        chosen = [key for key in super().chosen(work, keys) if key.startswith(old)]
        if len(passes) < 2:
            return chosen
        now = passes[work.checkpoint.get("pass", 0)]
        return [key for key in chosen if depth(key, work.params) == now]

    def _is_over(self, work: Work) -> bool:
        if "passes" not in work.checkpoint or not super()._is_over(work):
            return False
        after = work.checkpoint.get("pass", 0) + 1
        if after >= len(work.checkpoint["passes"]):
            return True
        work.checkpoint.update({"pass": after, "position": 0})
        return False

    def prepare(self, work: Work, keys: list[bytes]) -> tuple[dict[str, Any], Any, int]:
        return self.held(work, work.redis, self.pairs(work, keys))

    def act(self, work: Work, keys: list[bytes], prepared: dict[str, Any], carried: Any) -> Words:
        pairs = self.pairs(work, keys)
        words = self.barred(work, work.server, pairs, prepared)
        over = carried if self.replaces(work) else [None] * len(pairs)
        return self._rename(work, pairs, over, words)

    def look(self, work: Work, keys: list[bytes], prepared: dict[str, Any]) -> Words:
        pairs, bulk = self.pairs(work, keys), Bulk(work.redis)
        barred = self.barred(work, work.server, pairs, prepared)
        stays = bulk.moves(pairs)
        replaces = self.replaces(work)
        before = [mark == "1" and not replaces for mark in prepared["there"]]
        words = [""] * len(pairs)
        for look, is_here in ((bulk.look_rename, True), (bulk.look_move, False)):
            some = [n for n, stay in enumerate(stays) if stay is is_here and not barred[n]]
            if some:
                with paced(work, len(some) * (2 if is_here else MOVING)):
                    told = look([pairs[n] for n in some], [before[n] for n in some])
                filled(words, some, told)
        if replaces:
            self._doubt(work, pairs, prepared, words)
        words = [why or word for why, word in zip(barred, words, strict=True)]
        return self._rename(work, pairs, self.over(prepared), words)

    def _doubt(self, work: Work, pairs: Pairs, prepared: dict[str, Any], words: Words) -> None:
        """Where the new name still holds what was kept of it, the old one had gone before."""
        kept = self.over(prepared)
        left = [n for n, word in enumerate(words) if word == "renamed" and kept[n] is not None]
        while left:
            now = keeping.take(work, work.redis, [pairs[n][1] for n in left])
            for n, one in zip(left, now, strict=False):
                if one == kept[n]:
                    words[n] = "gone"
            left = left[len(now) :]

    def _rename(self, work: Work, pairs: Pairs, over: Sequence[Taken], words: Words) -> Words:
        """Rename those that have no word yet."""
        bulk = Bulk(work.redis)
        stays = bulk.moves(pairs)
        here = [n for n, word in enumerate(words) if not word and stays[n]]
        away = [n for n, word in enumerate(words) if not word and not stays[n]]
        guarded = sum(over[n] is not None for n in here)
        with paced(work, len(here) + guarded * (OVER - 1)):
            told = bulk.rename([pairs[n] for n in here], over=[over[n] for n in here])
        filled(words, here, told)
        with paced(work, len(away) * MOVING):
            told = bulk.move([pairs[n] for n in away], over=[over[n] for n in away])
        return filled(words, away, told)


def depth(key: bytes, params: dict[str, Any]) -> int:
    """How often the part that one prefix has beyond the other stands at the start of the rest."""
    old, new = from_url(params["old"]), from_url(params["new"])
    longer, shorter = (new, old) if len(new) > len(old) else (old, new)
    if not longer.startswith(shorter):
        return 0
    added, count, at = longer[len(shorter) :], 0, len(old)
    while key.startswith(added, at):
        count += 1
        at += len(added)
    return count


class CopyKeys(Naming):
    """DUMP here, RESTORE on another server or database, with the same absolute expiry."""

    name: ClassVar[str] = "keys.copy"
    verb: ClassVar[str] = "Copy"
    each: ClassVar[int] = 6
    done: ClassVar[frozenset[str]] = frozenset({"copied"})
    done_word: ClassVar[str] = "copied"

    def notes(self, job: Job) -> list[tuple[str, str]]:
        return [*super().notes(job), ("To", job.params["target_name"])]

    def elsewhere(self, job: Job) -> tuple[int, bytes] | None:
        """What all copies on the other server begin with, as far as that is known."""
        if job.params["target"] == job.server_id:
            return None
        scope, old, new = bytes(job.scope), *(from_url(job.params[part]) for part in ("old", "new"))
        there = new + scope[len(old) :] if scope.startswith(old) else b""
        return job.params["target"], there

    def ready(self, work: Work) -> bool:
        return not self.replaces(work) or keeping.ready(work, self.target(work))

    def target(self, work: Work) -> Any:
        """The row of the server that gets the copies."""
        from dashboard.servers.models import Server

        return Server.objects.get(pk=work.params["target"])

    @staticmethod
    def there_is(work: Work, target: Any) -> Any:
        """The client of the place that gets the copies: perhaps another database."""
        db = work.params.get("db")
        return target.client() if db is None else clients.in_database(target, db)

    @staticmethod
    def is_here(work: Work) -> bool:
        """Whether the copies stay in the database of the originals."""
        return work.params["target"] == work.server.pk and work.params.get("db") is None

    def prepare(self, work: Work, keys: list[bytes]) -> tuple[dict[str, Any], Any, int]:
        there = self.there_is(work, self.target(work))
        return self.held(work, there, self.pairs(work, keys))

    def act(self, work: Work, keys: list[bytes], prepared: dict[str, Any], carried: Any) -> Words:
        target = self.target(work)
        pairs = self.pairs(work, keys)
        words = self.barred(work, target, pairs, prepared)
        return self._copy(work, target, pairs, prepared, words)

    def look(self, work: Work, keys: list[bytes], prepared: dict[str, Any]) -> Words:
        target = self.target(work)
        pairs = self.pairs(work, keys)
        before = [mark == "1" for mark in prepared["there"]]
        barred = self.barred(work, target, pairs, prepared)
        with paced(work, len(pairs) * (MOVING if self.replaces(work) else 1)):
            words = Bulk(work.redis).look_copy(
                self.there_is(work, target), pairs, before, replace=self.replaces(work)
            )
        words = [why or word for why, word in zip(barred, words, strict=True)]
        return self._copy(work, target, pairs, prepared, words)

    def _copy(
        self, work: Work, target: Any, pairs: Pairs, prepared: dict[str, Any], words: Words
    ) -> Words:
        over = self.over(prepared)
        if not self.replaces(work):
            words = [
                word or ("taken" if mark == "1" else "")
                for word, mark in zip(words, prepared["there"], strict=True)
            ]
        if self.is_here(work):  # a name that does not begin with the old prefix stays as it is
            same = [old == new for old, new in pairs]
            words = ["taken" if own else word for own, word in zip(same, words, strict=True)]
        left = [n for n, word in enumerate(words) if not word]
        with paced(work, len(left) * MOVING):
            told = Bulk(work.redis).copy(
                self.there_is(work, target), [pairs[n] for n in left], over=[over[n] for n in left]
            )
        return filled(words, left, told)
