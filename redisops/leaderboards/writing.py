"""Writing a board: one script, which also looks whether the window is still the right one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from redisops.errors import InvalidArgument
from redisops.leaderboards.model import Archived, How, Standing
from redisops.leaderboards.overview import Viewing
from redisops.leaderboards.plain import score_word
from redisops.leaderboards.reading import PAGE
from redisops.steps import Steps, step
from redisops.values.calls import checked
from redisops.values.sorted_sets import scored
from redisops.windows import Window

AT_ONCE = 1_000
"""Updates of one script: what the server does in one go."""
UPDATES = 100_000
"""Updates of one call at most."""


class Writing(Viewing):
    """What a board takes. Nothing is repeated when a reply is lost: UnknownResult is raised."""

    @step
    def set(self, member: str | bytes, score: float) -> Steps[Standing]:
        """The member has this score now. One command."""
        return (yield from self._one("set", member, score))

    @step
    def add(self, member: str | bytes, delta: float) -> Steps[Standing]:
        """The member's score (0 when it is new) grows by ``delta``. One command."""
        return (yield from self._one("add", member, delta))

    @step
    def keep_best(self, member: str | bytes, score: float) -> Steps[Standing]:
        """The member has this score if it is better than the one it had. One command."""
        return (yield from self._one("best", member, score))

    @step
    def remove(self, member: str | bytes) -> Steps[float | None]:
        """Take the member off this window; the score it had, None when it was not there.

        Its details stay. One command.
        """
        [[score, _]] = yield from self._write("remove", [(member, 0.0)], "")
        return None if score == b"" else float(score)

    @step
    def update_many(
        self, updates: Iterable[tuple[str | bytes, float]], *, how: How = "set", ranks: bool = False
    ) -> Steps[list[Standing]]:
        """Up to 100,000 members at once, in their order: a script for each 1,000, one round trip.

        1,000 updates happen in one moment; of more, others may be read between. ``ranks`` also asks
        where each stood when it was written.
        """
        pairs = list(updates)
        if how not in get_args(How):
            raise InvalidArgument(f'"{how}" is no way to write: {", ".join(get_args(How))}')
        told = yield from self._write(how, pairs, self.ties if ranks else "")
        return [_standing(pair, row) for pair, row in zip(pairs, told, strict=True)]

    @step
    def update_once(
        self,
        updates: Iterable[tuple[str | bytes, float]],
        receipt: str | bytes,
        number: int,
        *,
        how: How = "set",
    ) -> Steps[bool]:
        """One part of many, up to 1,000 members, written at most once however often it is sent.

        ``receipt`` is a key (a string, in the board's slot of a cluster) that holds the ``number``
        (from 0) of the part written last, for a day from then: this one is written, True, unless
        that number or a higher one is there, False. So parts are sent in their order, and again
        after a crash or a lost reply, within the day. One command; ``forget_receipt`` ends it.
        """
        pairs = list(updates)
        if how not in get_args(How):
            raise InvalidArgument(f'"{how}" is no way to write: {", ".join(get_args(How))}')
        if len(pairs) > AT_ONCE or not 0 <= number < 2**53:
            raise InvalidArgument(f"{len(pairs)} updates: one part has {AT_ONCE} at most")
        words = [word for pair in pairs for word in _words(how, *pair)]
        window = yield from self._current()
        while True:
            name, keys, rest = self._script(how, window, "", words, number)
            reply = checked((yield self._fast.script(name, [*keys, _raw(receipt)], rest)))
            if reply and reply[0] == b"window":
                window = self._clock.learn(reply[1:])
            else:
                return not reply or reply[0] != b"done"

    @step
    def forget_receipt(self, receipt: str | bytes) -> Steps[None]:
        """After the last ``update_once``: take its receipt away. One command."""
        yield self._fast.call("UNLINK", receipt)

    @step
    def set_details(self, details: Mapping[str | bytes, str | bytes | None]) -> Steps[None]:
        """What to know of members beside their scores; None forgets it. Two commands, one trip.

        The hash is the whole board's, of all windows, and never expires.
        """
        gone = [member for member, value in details.items() if value is None]
        new = [part for pair in details.items() if pair[1] is not None for part in pair]
        commands = []
        if new:
            commands.append(("HSET", self.keys.details, *new))
        if gone:
            commands.append(("HDEL", self.keys.details, *gone))
        for reply in (yield self._fast.calls(commands)):
            checked(reply)

    @step
    def reset(
        self,
        archive_to: str | bytes | None = None,
        top_n: int = 10,
        *,
        archive_ttl: int | None = None,
    ) -> Steps[Archived]:
        """Empty the window in one moment, and tell its best; kept under a label when one is given.

        The archive is the board itself under another name (``archive(label)`` opens it): it costs
        no more with a million members. It is kept for ``archive_ttl`` seconds, or for ever. Of a
        board opened by its key ``archive_to`` is a whole key, which must be in its slot of a
        cluster. InvalidArgument when something has that name already: nothing has changed then.
        One command.
        """
        if not 0 <= top_n <= PAGE:
            raise InvalidArgument(f"the top {top_n} is asked for: 0 to {PAGE} can be told")
        if archive_ttl is not None and archive_ttl < 1:
            raise InvalidArgument(f"{archive_ttl} seconds are no time to keep an archive")
        kept = None if archive_to is None else self.keys.archive(archive_to)
        window = yield from self._current()
        while True:
            key = self.keys.of(window)
            old = self._keys_of(key)
            new = old if kept is None else self._keys_of(kept)
            reply = yield self._fast.script(
                "board_reset",
                [*old, *new],
                (*self._ends(window)[:2], self.order, top_n, int(kept is not None),
                 "" if archive_ttl is None else archive_ttl),
            )  # fmt: skip
            if reply[0] == b"window":
                window = self._clock.learn(reply[1:])
                continue
            if reply[0] == b"exists":
                raise InvalidArgument(f"{archive_to!r} is taken: there is an archive of that name")
            size, rows = reply
            top = self._standings(0, 0, 0, scored(rows))
            return Archived(int(size), tuple(top), kept if size else None)

    def _one(self, how: str, member: str | bytes, score: float) -> Steps[Standing]:
        pair = (member, score)
        [row] = yield from self._write(how, [pair], self.ties)
        return _standing(pair, row)

    def _write(
        self, how: str, pairs: Sequence[tuple[str | bytes, float]], ties: str
    ) -> Steps[list[tuple[Any, int]]]:
        """Score and rank of each, in the window that is open when the server writes them."""
        if len(pairs) > UPDATES:
            raise InvalidArgument(f"{len(pairs)} updates: {UPDATES} can be made at once")
        words: list[Any] = [word for pair in pairs for word in _words(how, *pair)]
        parts = [words[at : at + 2 * AT_ONCE] for at in range(0, len(words), 2 * AT_ONCE)]
        told: dict[int, list[tuple[Any, int]]] = {}
        window = yield from self._current()
        while len(told) < len(parts):
            waiting = [at for at in range(len(parts)) if at not in told]
            scripts = [self._script(how, window, ties, parts[at]) for at in waiting]
            if len(scripts) == 1:
                replies = [(yield self._fast.script(*scripts[0]))]
            else:
                replies = yield self._fast.scripts(scripts)
            for at, reply in zip(waiting, replies, strict=True):
                if checked(reply)[0] == b"window":
                    window = self._clock.learn(reply[1:])
                else:
                    told[at] = [*zip(reply[::2], reply[1::2], strict=True)]
        return [row for at in range(len(parts)) for row in told[at]]

    def _script(
        self, how: str, window: Window, ties: str, words: Sequence[Any], number: int | str = ""
    ) -> tuple[str, list[bytes], tuple[Any, ...]]:
        keys = self._keys_of(self.keys.of(window))
        dense = int(self.ties == "dense")
        head = (how, self.order, int(self.first_wins), dense, *self._ends(window), ties, number)
        return "board_write", keys, (*head, *words)

    def _ends(self, window: Window) -> tuple[Any, Any, Any]:
        """The window's first second, the one after its last, and the one in which it expires.

        A window that was chosen is written whatever the time is.
        """
        if window.start is None or window.end is None:
            return ("", "", "")
        expires = window.step(self.keep).end
        if self.pinned is not None:
            return ("", "", expires)
        return (window.start, window.end, expires)


def _words(how: str, member: str | bytes, score: float) -> tuple[str | bytes, str]:
    if not isinstance(member, str | bytes):
        raise InvalidArgument(f"the member {member!r:.80} is neither str nor bytes")
    word = score_word(score)
    if how == "add" and not math.isfinite(score):
        raise InvalidArgument(f"{score!r} cannot be added: a finite number can")
    return member, word


def _raw(key: str | bytes) -> bytes:
    return key.encode() if isinstance(key, str) else key


def _standing(pair: tuple[str | bytes, float], row: tuple[Any, int]) -> Standing:
    member, (score, rank) = pair[0], row
    raw = member.encode() if isinstance(member, str) else member
    return Standing(raw, float(score), int(rank) or None)
