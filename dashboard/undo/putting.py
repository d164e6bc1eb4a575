"""Putting entries of one chunk back: what is overwritten is kept first, each result is marked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db import transaction
from redis.exceptions import RedisError

from dashboard.servers.models import Server
from dashboard.undo import marks
from dashboard.undo.models import Chunk, Removal
from dashboard.undo.options import Options
from dashboard.undo.removing import BUDGET, why_not
from redisops.dumps import Dump, Dumps, Taken
from redisops.errors import RedisopsError, UnknownResult

OWN = "refused: it belongs to the console itself"
STAYED = "refused: it was not removed then"
OTHER_NAME = "refused: its name does not begin with what is to be replaced"

Opener = Callable[[], Removal]


class Putting:
    """Entries of chunks on their way back to ``server``.

    ``overwritten`` opens the removal for what is overwritten, when there is any.
    """

    def __init__(self, server: Server, redis: Any, options: Options, overwritten: Opener) -> None:
        self.server = server
        self.redis = redis
        self.library = Dumps(redis)
        self.options = options
        self.overwritten = overwritten

    def put(
        self, chunk: Chunk, positions: Sequence[int], opened: Sequence[Dump] | None = None
    ) -> list[tuple[bytes, str]]:
        """(name, result) of each entry, in the order given.

        ``opened`` are all dumps of the chunk, when they are known.
        UnknownResult passes: what was sent is marked as perhaps restored. After other errors of
        Redis nothing was done to the entries that have no new mark.
        """
        names: dict[int, bytes] = {}
        results: dict[int, str] = {}
        every = list(chunk.dumps()) if opened is None else opened
        known = bytes(chunk.marks)
        for n in positions:
            key = every[n].key
            name = self.options.name(key)
            names[n] = key if name is None else name
            if name is None:
                results[n] = OTHER_NAME
            elif self.server.protects(name):
                results[n] = OWN
            elif known[n] == marks.STAYED:
                results[n] = STAYED
        open_ = [n for n in positions if n not in results]
        dumps = self._dumps(every, open_)
        over = [
            n for n in open_
            if self.options.replace
            # What was overwritten takes its own place back; at another name it overwrites nothing.
            or (known[n] == marks.OVERWRITTEN and names[n] == every[n].key)
        ]  # fmt: skip
        plain = [n for n in open_ if n not in set(over)]
        while over:
            done = self._put_over(chunk, over, dumps, names)
            results |= done
            over = over[len(done) :]
        if plain:
            results |= self._put_plain(chunk, plain, dumps, names)
        return [(names[n], results[n]) for n in positions]

    def _dumps(self, every: Sequence[Dump], positions: Sequence[int]) -> dict[int, Dump]:
        """The dumps; what has expired gets its new time to live if one was asked for."""
        dumps = {n: every[n] for n in positions}
        if self.options.ttl is not None and any(dump.expires_at for dump in dumps.values()):
            now = self.library.now()
            new = now + self.options.ttl * 1000
            for n, dump in dumps.items():
                if dump.expires_at is not None and dump.expires_at <= now:
                    dumps[n] = dump._replace(expires_at=new)
        return dumps

    def _put_plain(
        self, chunk: Chunk, asked: Sequence[int], dumps: Mapping[int, Dump],
        names: Mapping[int, bytes],
    ) -> dict[int, str]:  # fmt: skip
        """Where nothing may be overwritten."""
        told = self._send(chunk, asked, dumps, names, over=None)
        # It may be there already: by a try whose reply was lost, or by another restore just now.
        unsure = [n for n in asked if told[n] == "taken"]
        for n, now in zip(unsure, self._now([names[n] for n in unsure]), strict=False):
            if _is_same(now, dumps[n]):
                told[n] = "restored"
        self._mark(chunk, told)
        return told

    def _put_over(
        self, chunk: Chunk, asked: Sequence[int], dumps: Mapping[int, Dump],
        names: Mapping[int, bytes],
    ) -> dict[int, str]:  # fmt: skip
        """The first of ``asked``: as many as what they overwrite may be held in memory."""
        taken = self._now([names[n] for n in asked[:200]])
        part = asked[: len(taken)]
        told: dict[int, str] = {}
        current: dict[int, Taken] = {}
        for n, now in zip(part, taken, strict=True):
            if _is_same(now, dumps[n]):
                told[n] = "restored"
            elif now is None or isinstance(now, Dump):
                current[n] = now
            else:
                told[n] = f"refused: what is there cannot be kept first: {why_not(now)}"
        lost = [now for now in current.values() if isinstance(now, Dump)]
        bin_ = self.overwritten() if lost else None
        kept = bin_.keep(lost) if bin_ is not None else None
        sent = self._send(chunk, list(current), dumps, names, over=current)
        if bin_ is not None and kept is not None:
            gone = [n for n, now in current.items() if isinstance(now, Dump)]
            bin_.settle(kept, ["overwritten" if sent[n] == "restored" else "changed" for n in gone])
        told |= sent
        self._mark(chunk, told)
        return told

    def _send(
        self, chunk: Chunk, asked: Sequence[int], dumps: Mapping[int, Dump],
        names: Mapping[int, bytes], over: Mapping[int, Taken] | None,
    ) -> dict[int, str]:  # fmt: skip
        if not asked:
            return {}
        known = bytes(chunk.marks)
        self._remark(chunk, dict.fromkeys(asked, marks.TRYING))
        try:
            results = self.library.restore(
                [dumps[n] for n in asked],
                names=[names[n] for n in asked],
                over=None if over is None else [over[n] for n in asked],
            )
        except UnknownResult:
            raise
        except (RedisError, RedisopsError):
            self._remark(chunk, {n: known[n] for n in asked})
            raise
        return dict(zip(asked, results, strict=True))

    def _mark(self, chunk: Chunk, told: Mapping[int, str]) -> None:
        self._remark(chunk, {n: marks.of(result) for n, result in told.items()})

    def _remark(self, chunk: Chunk, told: Mapping[int, int]) -> None:
        """Entries that go to another name keep the marks that they have."""
        if self.options.rename is None and told:
            remark(chunk, told)

    def _now(self, names: Sequence[bytes]) -> list[Taken]:
        if not names:
            return []
        found: list[Taken] = self.library.take(
            names, max_bytes=settings.UNDO_VALUE_BYTES, budget=BUDGET
        )
        return found


def remark(chunk: Chunk, told: Mapping[int, int]) -> None:
    """Change some marks of a chunk; two that do so at once each change their own."""
    with transaction.atomic():
        row = Chunk.objects.select_for_update().only("marks").get(pk=chunk.pk)
        changed = bytearray(row.marks)
        for n, mark in told.items():
            changed[n] = mark
        Chunk.objects.filter(pk=chunk.pk).update(marks=bytes(changed))
    chunk.marks = bytes(changed)


def _is_same(now: Taken, dump: Dump) -> bool:
    return (
        isinstance(now, Dump) and now.payload == dump.payload and now.expires_at == dump.expires_at
    )
