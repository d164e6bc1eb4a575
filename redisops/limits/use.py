"""What became of the decisions: per policy and second, and who it was, read from Redis."""

from __future__ import annotations

import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import redis as redis_py

from redisops.errors import InvalidArgument
from redisops.limits.tally import OUTCOMES
from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.values.calls import send

KEEP_SECONDS = 65 * 60  # how long each second is kept, an hour can be asked
KEEP_MINUTES = 8 * 86_400
KEEP_TOPS = 31 * 60
LISTED = 100  # subjects that Redis keeps for each policy, outcome and minute
CLOCK_HOLDS = 60.0  # seconds until the server is asked for its time again
_COUNTERS = struct.Struct(">180I")


class Step(NamedTuple):
    """One second (or minute), by the server's clock, as seconds since 1970, and its decisions."""

    at: int
    allowed: int
    denied: int
    shadow: int


class Entry(NamedTuple):
    """A subject with about how many decisions: between ``count - error`` and ``count + error``.

    ``error`` is 0 unless more subjects came up than are kept. A ``subject`` above 200 bytes is
    ``#`` and its BLAKE2b digest, as in the limits' own keys.
    """

    subject: bytes
    count: int  # type: ignore[assignment]  # it hides tuple.count
    error: int


@dataclass(frozen=True)
class Top:
    """The subjects with most decisions, most first; ``total`` decisions there were in all.

    ``entries`` has at most as many as were asked for. A subject that no list has at all came up
    at most ``error`` times.
    """

    entries: list[Entry]
    total: int
    error: int = 0


def keys_of(prefix: str, policy: str, minute: int) -> list[bytes]:
    """The keys of a policy for the minute that begins at ``minute``, in the script's order."""
    place = f"{prefix}{{{policy}}}:"
    names = [f"seconds:{minute}", f"minutes:{minute // 3600 * 3600}"]
    names += [f"top:{outcome}:{minute}" for outcome in OUTCOMES]
    return [(place + name).encode("utf-8", "surrogateescape") for name in names]


class _Use:
    """Reads what Recorders wrote. Reading commands alone (GET, HGETALL, and TIME).

    Times are the server's: each decision counts for the second that the server's clock showed
    (as its process knew it, to a few milliseconds) when it was made. The newest one or two
    seconds still grow, since processes send once a second. A user without the right to TIME
    gets the local clock; ``clock`` says which it was. Redis's errors pass.

    Keys: ``<prefix>{<policy>}:seconds:<minute>``, ``…:minutes:<hour>`` and
    ``…:top:<outcome>:<minute>``, minute and hour as the second since 1970 when they begin. All
    have a TTL.
    """

    def __init__(self, client: Any, prefix: str = "limits:use:") -> None:
        self.redis = client
        self.prefix = prefix
        self.clock = ""
        self._asked_at = float("-inf")
        self._ahead = 0.0

    @step
    def series(self, policy: str, seconds: int = 900) -> Steps[list[Step]]:
        """The last ``seconds`` (1 to 3,600) with the current one, oldest first, none left out.

        One round trip, and one more a minute for the server's time.
        """
        found = yield from self._series([policy], seconds, 1, 3600)
        return found[policy]

    @step
    def series_many(
        self, policies: Sequence[str], seconds: int = 900
    ) -> Steps[dict[str, list[Step]]]:
        """``series`` of several policies, in the same round trip."""
        return (yield from self._series(policies, seconds, 1, 3600))

    @step
    def minutes(self, policy: str, minutes: int = 24 * 60) -> Steps[list[Step]]:
        """The last ``minutes`` (1 to 11,520, eight days) in whole minutes, oldest first."""
        found = yield from self._series([policy], minutes, 60, KEEP_MINUTES // 60)
        return found[policy]

    @step
    def top(self, policy: str, outcome: str, n: int = 20, minutes: int = 15) -> Steps[Top]:
        """Who had most decisions of this outcome in the last ``minutes`` (1 to 30).

        The current minute and the ones before it. One round trip.
        """
        return (yield from self._tops([(policy, outcome)], n, minutes))[0]

    @step
    def top_many(
        self, asked: Sequence[tuple[str, str]], n: int = 20, minutes: int = 15
    ) -> Steps[list[Top]]:
        """``top`` of several (policy, outcome) pairs, in one round trip."""
        return (yield from self._tops(asked, n, minutes))

    def _series(
        self, policies: Sequence[str], count: int, width: int, most: int
    ) -> Steps[dict[str, list[Step]]]:
        if type(count) is not int or not 1 <= count <= most:
            raise InvalidArgument(f"{count!r:.40} is not a whole number between 1 and {most}")
        last = (yield from self._now()) // width * width
        first = last - (count - 1) * width
        span = 60 * width
        wholes = range(first // span * span, last + 1, span)
        level = 0 if width == 1 else 1
        replies = yield from self._read(
            [("GET", keys_of(self.prefix, one, at)[level]) for one in policies for at in wholes]
        )
        found: dict[str, list[Step]] = {}
        for number, policy in enumerate(policies):
            rows: list[Step] = []
            part = replies[number * len(wholes) : (number + 1) * len(wholes)]
            for begin, text in zip(wholes, part, strict=True):
                flat = _counters(text)
                rows += [
                    Step(begin + at * width, *flat[at * 3 : at * 3 + 3])
                    for at in range(60)
                    if first <= begin + at * width <= last
                ]
            found[policy] = rows
        return found

    def _tops(self, asked: Sequence[tuple[str, str]], n: int, minutes: int) -> Steps[list[Top]]:
        for _, outcome in asked:
            if outcome not in OUTCOMES:
                known = ", ".join(OUTCOMES)
                raise InvalidArgument(f"outcome {outcome!r:.60} is not one of {known}")
        if type(minutes) is not int or not 1 <= minutes < KEEP_TOPS // 60:
            raise InvalidArgument(f"minutes {minutes!r:.40} is not between 1 and 30")
        last = (yield from self._now()) // 60 * 60
        commands: list[tuple[Any, ...]] = []
        for policy, outcome in asked:
            for minute in range(last - (minutes - 1) * 60, last + 1, 60):
                keys = keys_of(self.prefix, policy, minute)
                commands += [("GET", keys[0]), ("HGETALL", keys[2 + OUTCOMES[outcome]])]
        replies = yield from self._read(commands)
        size = 2 * minutes
        return [
            _top(replies[at * size : (at + 1) * size], OUTCOMES[outcome], n)
            for at, (_, outcome) in enumerate(asked)
        ]

    def _read(self, commands: Sequence[tuple[Any, ...]]) -> Steps[list[Any]]:
        replies = yield from send(self.redis, [(None, command) for command in commands])
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies

    def _now(self) -> Steps[int]:
        """The server's time in seconds. A round trip once a minute."""
        if time.monotonic() - self._asked_at > CLOCK_HOLDS:
            try:
                told = yield self.redis.execute_command("TIME")
                if isinstance(told, dict):  # a cluster answers for each node
                    told = next(iter(told.values()))
                server, self.clock = float(told[0]) + float(told[1]) / 1e6, "server"
            except redis_py.exceptions.NoPermissionError:
                server, self.clock = time.time(), "local"
            self._asked_at = time.monotonic()
            self._ahead = server - self._asked_at
        return int(time.monotonic() + self._ahead)


class Use(_Use, Blocking):
    __doc__ = _Use.__doc__


class AsyncUse(_Use, Awaiting):
    __doc__ = _Use.__doc__


def _counters(text: bytes | None) -> tuple[int, ...]:
    """The 180 counters of a string that may be shorter, or not be there."""
    return _COUNTERS.unpack((text or b"")[: _COUNTERS.size].ljust(_COUNTERS.size, b"\0"))


def _number(text: bytes) -> int:
    """A count as the script writes it; 0 for what somebody else wrote there."""
    return int(text) if text.isdigit() and len(text) < 20 else 0


def _top(replies: Sequence[Any], index: int, n: int) -> Top:
    """One list of the lists of several minutes.

    The bounds add up: who is not listed in a minute may have had its floor there, and what was
    not sent to any list.
    """
    total, missed = 0, 0
    found: dict[bytes, list[int]] = {}
    for text, fields in zip(replies[::2], replies[1::2], strict=True):
        total += sum(_counters(text)[index::3])
        rows = (
            fields
            if isinstance(fields, dict)
            else dict(zip(fields[::2], fields[1::2], strict=True))
        )
        floor = _number(rows.get(b"floor", b"0"))
        missed += _number(rows.get(b"missed", b"0")) + floor
        for field, value in rows.items():
            if field.startswith(b":"):
                count, error = map(_number, (*value.split(), b"", b"")[:2])
                entry = found.setdefault(field[1:], [0, 0])
                entry[0] += count
                entry[1] += max(error, 0) - floor  # listed here: its own error, not the floor's
    entries = [
        Entry(subject, count, max(error + missed, 0)) for subject, (count, error) in found.items()
    ]
    entries.sort(key=lambda entry: (-entry.count, entry.subject))
    return Top(entries[:n], total, missed)
