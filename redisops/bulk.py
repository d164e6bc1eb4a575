"""Change many keys in one pipeline each, and find out after a crash what had been done.

Every method takes some hundred keys and returns one word for each, in their order. What the
server refused for one key is ``"refused: "`` and its words, and leaves the others done. Trouble of
the whole server (READONLY, BUSY, LOADING …) and a lost reply are raised: nobody knows then which
keys were done. The ``look_…`` methods tell it afterwards, from what was so before: read that with
the same methods' readers (``expiries``, ``exist``) and keep it until the words have come.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from redis.exceptions import ResponseError

from redisops import carrying
from redisops.dumps import MAX_BYTES, Dump, Taken
from redisops.dumps.model import seen
from redisops.dumps.sending import Batch, run
from redisops.dumps.taking import milliseconds
from redisops.errors import InvalidArgument
from redisops.resilience.causes import cause_of, words_of
from redisops.resilience.words import Cause
from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.values.calls import checked, is_cluster, is_refused, node_of, nodes, send

__all__ = ["AsyncBulk", "Bulk"]

NEVER, GONE = -1, -2  # what the server says instead of a time
NEAR = 1_000  # milliseconds that two readings of one expiry may differ where it is computed
# What a server says that serves nobody just now: these are no verdict on a key.
_TROUBLE = frozenset(
    {
        Cause.READONLY, Cause.BUSY, Cause.LOADING, Cause.MASTERDOWN, Cause.CLUSTERDOWN,
        Cause.MISCONF, Cause.MOVED, Cause.AUTH,
    }
)  # fmt: skip


_PASSING = tuple(
    f"refused: {cause}" for cause in (
        "READONLY", "BUSY ", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "MISCONF", "TRYAGAIN", "MOVED",
        "ASK ", "NOREPLICAS",
    )
)  # fmt: skip


def is_trouble(word: str) -> bool:
    """Whether a "refused: …" of one key is the server's own state, so that it may pass."""
    return word.startswith(_PASSING)


def refusal(reply: Any) -> str:
    """ "refused: …" for an error about one key, "" for a reply; raises trouble of the server."""
    if not isinstance(reply, Exception):
        return ""
    words = words_of(reply)
    if (
        not isinstance(reply, ResponseError)
        or cause_of(reply) in _TROUBLE
        or words.startswith("NOREPLICAS")
    ):
        raise reply
    return f"refused: {words}"


class _Bulk:
    """Many keys of one server or cluster. Nothing here is atomic over more than one key."""

    def __init__(self, redis: Any) -> None:
        self.redis = redis

    # --- What is so ---------------------------------------------------------------------------

    @step
    def exist(self, keys: Sequence[bytes]) -> Steps[list[bool | None]]:
        """Whether each key is there; None where this user may not know. One round trip."""
        replies = yield from self._each([("EXISTS", key) for key in keys])
        return [None if is_refused(reply) else bool(checked(reply)) for reply in replies]

    @step
    def expiries(self, keys: Sequence[bytes]) -> Steps[list[int | None]]:
        """When each key expires, Unix milliseconds; -1 never, -2 it is gone, None: refused.

        One round trip. A server before Redis 7 has only PTTL: a second trip, and times that
        are right within the time it takes.
        """
        replies = yield from self._each([("PEXPIRETIME", key) for key in keys])
        if any(isinstance(one, ResponseError) and "unknown command" in str(one) for one in replies):
            before = time.time()
            replies = yield from self._each([("PTTL", key) for key in keys])
            now = int((before + time.time()) * 500)
            replies = [now + left if type(left) is int and left >= 0 else left for left in replies]
        return [None if refusal(reply) else int(reply) for reply in replies]

    @step
    def unlink(self, keys: Sequence[bytes]) -> Steps[list[str]]:
        """Delete each key for good: "removed", "gone" or "refused: …". One round trip."""
        replies = yield from self._each([("UNLINK", key) for key in keys])
        return [refusal(reply) or ("removed" if reply else "gone") for reply in replies]

    # --- Expiry -------------------------------------------------------------------------------

    @step
    def expire(self, keys: Sequence[bytes], at: Sequence[int]) -> Steps[list[str]]:
        """Let each key expire at its time, Unix milliseconds: "set", "gone" or "refused: …".

        A round trip for the servers' clocks (one command for each primary), one for the keys
        (one command each). A time in the past, by the clock here or there, would delete:
        InvalidArgument, and nothing was done. Repeating changes nothing: the times are absolute.
        """
        if at and min(at) <= (yield from self._latest_clock()):
            raise InvalidArgument("a time to expire is past: that would delete the key at once")
        replies = yield from self._each(
            [("PEXPIREAT", key, moment) for key, moment in zip(keys, at, strict=True)]
        )
        return [refusal(reply) or ("set" if reply else "gone") for reply in replies]

    @step
    def look_expire(self, keys: Sequence[bytes], at: Sequence[int]) -> Steps[list[str]]:
        """After a lost ``expire``: "set" (it is so), "gone", or "" (not done: it may be)."""
        found = yield from _Bulk.expiries.body(self, keys)
        return [
            "gone" if now == GONE
            else "set" if now is not None and abs(now - wanted) <= NEAR
            else ""
            for now, wanted in zip(found, at, strict=True)
        ]  # fmt: skip

    @step
    def persist(self, keys: Sequence[bytes]) -> Steps[list[str]]:
        """Take each key's expiry: "persisted", "unchanged" (none, or gone), or "refused: …".

        One round trip, one command a key.
        """
        replies = yield from self._each([("PERSIST", key) for key in keys])
        return [refusal(reply) or ("persisted" if reply else "unchanged") for reply in replies]

    @step
    def look_persist(self, keys: Sequence[bytes]) -> Steps[list[str]]:
        """After a lost ``persist`` of keys that had an expiry: "persisted", "gone", or ""."""
        found = yield from _Bulk.expiries.body(self, keys)
        return ["persisted" if now == NEVER else "gone" if now == GONE else "" for now in found]

    # --- Names --------------------------------------------------------------------------------

    @step
    def rename(
        self, pairs: Sequence[tuple[bytes, bytes]], *, over: Sequence[Taken] | None = None
    ) -> Steps[list[str]]:
        """Give each key its new name: "renamed", "taken", "gone", or "refused: …".

        ``over`` is what ``Dumps.take`` found at the new names: that, and only that, is
        overwritten, by a script; what somebody wrote there since stays ("taken"). One round
        trip, with ``over`` two. On a cluster a name in another slot cannot be given so: for
        those see ``moves``.
        """
        guards = {n: one for n, one in enumerate(over or ()) if isinstance(one, Dump)}
        free = [n for n in range(len(pairs)) if n not in guards]
        replies = yield from self._each([("RENAMENX", *pairs[n]) for n in free])
        batches = [Batch(pairs[n], seen(one)) for n, one in guards.items()]
        replies += yield from run(self.redis, "rename_over", batches)
        told = dict(zip([*free, *guards], replies, strict=True))
        return [_renamed(told[n]) for n in range(len(pairs))]

    def moves(self, pairs: Sequence[tuple[bytes, bytes]]) -> list[bool]:
        """For each pair whether it stays in its slot, so that ``rename`` can do it."""
        if not is_cluster(self.redis):
            return [True] * len(pairs)
        slot: Callable[[bytes], int] = self.redis.keyslot
        return [slot(old) == slot(new) for old, new in pairs]

    @step
    def look_rename(
        self, pairs: Sequence[tuple[bytes, bytes]], was_there: Sequence[bool]
    ) -> Steps[list[str]]:
        """After a lost ``rename``: "renamed", "taken", "gone", or "" (not done: it may be).

        ``was_there`` says of each new name whether it existed before (False for what ``over``
        named). Two commands a key, one round trip.
        """
        names = [name for pair in pairs for name in pair]
        there = yield from _Bulk.exist.body(self, names)
        words = []
        for old, new, before in zip(there[::2], there[1::2], was_there, strict=True):
            if old:
                words.append("taken" if before and new else "")
            else:
                words.append("renamed" if new and not before else "gone")
        return words

    # --- Values -------------------------------------------------------------------------------

    @step
    def copy(
        self, target: Any, pairs: Sequence[tuple[bytes, bytes]], *, replace: bool = False,
        over: Sequence[Taken] | None = None, max_bytes: int = MAX_BYTES,
    ) -> Steps[list[str]]:  # fmt: skip
        """Copy each key with its expiry to a name on another client, by DUMP and RESTORE.

        "copied", "taken" (the name exists; nothing was done), "gone", "too big: …" (above
        ``max_bytes``), "incompatible: …" or "refused: …". ``replace`` overwrites; with ``over``,
        what ``Dumps.take`` found at the names, only that is overwritten. Some round trips to
        each server, as ``Dumps`` says; the values pass through this process.
        """
        words, _ = yield from carrying.copy(
            self.redis, target, pairs, max_bytes, replace=replace, over=over
        )
        return words

    @step
    def look_copy(
        self, target: Any, pairs: Sequence[tuple[bytes, bytes]], was_there: Sequence[bool],
        *, replace: bool = False,
    ) -> Steps[list[str]]:  # fmt: skip
        """After a lost ``copy``: "copied", "taken", "gone", or "" (not done: it may be).

        A name that was there before and is to be replaced counts as copied when both values
        are the same to the byte, which two servers of one version agree on.
        """
        there = yield from _Bulk.exist.body(_Bulk(target), [new for _, new in pairs])
        words = []
        for now, before in zip(there, was_there, strict=True):
            words.append("" if not now else "copied" if not before else "" if replace else "taken")
        unsure = [n for n, before in enumerate(was_there) if before and replace and there[n]]
        found = yield from carrying.compare(self.redis, target, [pairs[n] for n in unsure])
        for n, (one, same) in zip(unsure, found, strict=True):
            words[n] = "copied" if same else "gone" if one is None else ""
        return words

    @step
    def move(
        self, pairs: Sequence[tuple[bytes, bytes]], *, over: Sequence[Taken] | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> Steps[list[str]]:  # fmt: skip
        """``rename`` between slots: written under the new name, then removed if unchanged.

        As ``rename``, and "changed": somebody wrote the old name meanwhile, so both are there.
        ``over``: as for ``copy``. Not atomic: for a moment both names are there.
        """
        words, taken = yield from carrying.copy(
            self.redis, self.redis, pairs, max_bytes, replace=False, over=over
        )
        copied = [n for n, word in enumerate(words) if word == "copied"]
        yield from carrying.finish(self.redis, words, {n: taken[n] for n in copied})
        return words

    @step
    def look_move(
        self, pairs: Sequence[tuple[bytes, bytes]], was_there: Sequence[bool]
    ) -> Steps[list[str]]:
        """After a lost ``move``, which it brings to its end: as ``move``, or "" (not begun)."""
        words = yield from _Bulk.look_rename.body(self, pairs, was_there)
        both = [n for n, word in enumerate(words) if word in ("", "taken")]
        found = yield from carrying.compare(self.redis, self.redis, [pairs[n] for n in both])
        half = {n: one for n, (one, same) in zip(both, found, strict=True) if same}
        yield from carrying.finish(self.redis, words, half)
        return words

    # --- Where --------------------------------------------------------------------------------

    def places(self, keys: Sequence[bytes]) -> list[str]:
        """The name of the primary that owns each key, as it is known now; "" off a cluster."""
        if not is_cluster(self.redis):
            return [""] * len(keys)
        return [str(node.name) for node in (node_of(self.redis, key) for key in keys)]

    def _latest_clock(self) -> Steps[float]:
        """Unix milliseconds by the clock that is furthest on: ours, or that of a primary."""
        primaries = yield from nodes(self.redis)
        told = yield from send(self.redis, [(node, ("TIME",)) for node in primaries])
        # Who may not ask for the time may expire keys all the same, by the clock here.
        return max([time.time() * 1000, *(milliseconds(one) for one in told if not refusal(one))])

    def _each(self, commands: Sequence[tuple[Any, ...]]) -> Steps[list[Any]]:
        """Replies and errors of one command for each key; the key comes second."""
        yield from nodes(self.redis)
        return (
            yield from send(
                self.redis, [(node_of(self.redis, command[1]), command) for command in commands]
            )
        )


def _renamed(reply: Any) -> str:
    if isinstance(reply, ResponseError) and "no such key" in str(reply):
        return "gone"
    return refusal(reply) or {1: "renamed", -1: "gone"}.get(int(reply), "taken")


class Bulk(_Bulk, Blocking):
    """Many keys, through a blocking client."""


class AsyncBulk(_Bulk, Awaiting):
    """Many keys, through an awaiting client."""
