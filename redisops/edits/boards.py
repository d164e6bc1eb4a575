"""Edits of leaderboards of which the library keeps more than the scores. Script: ``edit_board``.

Beside such a board lie ``<key>:order`` (who reached a score first) and ``<key>:scores`` (each
score once, for dense ranks); an edit keeps them right, and its inverse gives a member the place
among equals back that it had.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from redisops.edits.edit import Edit, Reply, check_times
from redisops.edits.hashes import after
from redisops.edits.outcomes import Saved, Version, version
from redisops.edits.sorted_sets import score as checked_score
from redisops.errors import InvalidArgument

MARK = 8
"""Bytes of a mark."""


@dataclass(frozen=True)
class BoardScore(Edit):
    """Give a member of a board with books a score, None to take it off; ``seen`` is its old score,
    None to add a new member.

    ``first_wins`` and ``dense`` say which books are kept, ``order`` which score is best. ``mark``
    is the 8 bytes that the member had in a first-wins board, which an inverse gives back; b"": it
    comes behind its equals. An absent board is made by a new member, to expire at ``expires_at``
    (ms since 1970).
    """

    member: bytes
    score: float | None
    seen: float | None = None
    first_wins: bool = False
    dense: bool = False
    order: Literal["high", "low"] = "high"
    mark: bytes = b""
    expires_at: int | None = None

    operation = "board.score"
    type = "zset"
    script = "edit_board"
    commands = ("EVALSHA", "ZADD")
    noun = "member"

    def check(self) -> None:
        if self.score is not None:
            checked_score(self.score)
        if self.score is None and self.seen is None:
            raise InvalidArgument("who is not on the board cannot be taken off")
        if len(self.mark) not in (0, MARK):
            raise InvalidArgument(f"a mark has {MARK} bytes, not {len(self.mark)}")
        check_times(self.expires_at)

    @property
    def keys(self) -> tuple[bytes, ...]:
        return (self.key, self.key + b":order", self.key + b":scores")

    @property
    def was(self) -> Version:
        return Version.of(_spelled(self.seen) or None)

    @property
    def intended(self) -> Version:
        return Version.of(_spelled(self.score) or None)

    def is_done(self, now: Version) -> bool:
        return self.score is not None and float(now.data or b"nan") == self.score

    def arguments(self) -> tuple[Any, ...]:
        return (
            self.member, _spelled(self.seen), _spelled(self.score), self.order,
            int(self.first_wins), int(self.dense), self.mark, self.expires_at or "",
        )  # fmt: skip

    def saved(self, reply: Reply) -> Saved:
        before, now, mark, gone = reply
        inverse = BoardScore(
            self.key, self.member, None if before is None else float(before[0]),
            None if now is None else float(now[0]), self.first_wins, self.dense, self.order,
            mark if before is not None else b"", after(gone),
        )  # fmt: skip
        return Saved(inverse, version(before), version(now))


@dataclass(frozen=True)
class BoardBack(Edit):
    """Put a board that was moved away to ``key`` back to ``to``; with ``books`` what lies beside
    it, too.

    What is at ``to`` by then is not lost and not mixed in: it goes to ``aside``, and stays there
    without an expiry. ``expires_at`` (ms since 1970) is when the board was to expire.
    """

    to: bytes
    aside: bytes
    books: bool = False
    expires_at: int | None = None

    operation = "board.back"
    type = "zset"
    script = "edit_board_back"
    commands = ("EVALSHA", "RENAME")
    no_undo = "The season can be ended again; what was scored since is under a name of its own."

    def check(self) -> None:
        if len({self.key, self.to, self.aside}) < 3:
            raise InvalidArgument("a board is put back to another name, and another one aside")
        check_times(self.expires_at)

    @property
    def keys(self) -> tuple[bytes, ...]:
        ends = (b"", b":order", b":scores") if self.books else (b"",)
        return tuple(key + end for end in ends for key in (self.key, self.to, self.aside))

    @property
    def intended(self) -> Version:
        return Version.of(self.to)

    def arguments(self) -> tuple[Any, ...]:
        return (self.expires_at or "",)

    def saved(self, reply: Reply) -> Saved:
        return Saved(None, Version.of(self.key), self.intended, self.no_undo)


def _spelled(number: float | None) -> bytes:
    """A double as Redis reads it back exactly, b"" for none."""
    return b"" if number is None else repr(number).encode()
