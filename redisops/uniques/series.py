"""Counters that others write: which of them belong together as the windows of one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import NoPermissionError, ResponseError

from redisops.errors import InvalidArgument
from redisops.fast import AsyncFast, Fast
from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.uniques.counter import one_slot
from redisops.windows import Kind, Window, named

AT_ONCE = 1_000
"""Keys that one call looks at, at most."""
HEADER = b"HYLL"
_FORMS: tuple[tuple[str, Kind, re.Pattern[bytes]], ...] = (
    ("<week>", "week", re.compile(rb"(?<!\d)\d{4}-W\d\d(?!\d)")),
    ("<day>", "day", re.compile(rb"(?<!\d)\d{4}-\d\d-\d\d(?!\d)")),
    ("<yyyymmdd>", "day", re.compile(rb"(?<!\d)\d{8}(?!\d)")),
    ("<month>", "month", re.compile(rb"(?<!\d)\d{4}-\d\d(?![\d-])")),
)


@dataclass(frozen=True)
class Series:
    """Keys that differ in their window alone: ``shop:visitors:<day>``.

    ``form`` is how the window is written: ``<day>`` 2026-11-23, ``<yyyymmdd>`` 20261123, ``<week>``
    2026-W48 (ISO), ``<month>`` 2026-11; "" for one key without a window.
    """

    before: bytes
    form: str = ""
    after: bytes = b""

    @property
    def pattern(self) -> bytes:
        """The name of them all."""
        return self.before + self.form.encode() + self.after

    @property
    def kind(self) -> Kind:
        return next((kind for form, kind, _ in _FORMS if form == self.form), "all")

    def key(self, window: Window) -> bytes:
        """The counter of one window."""
        if not self.form:
            return self.before
        label = window.label.replace("-", "") if self.form == "<yyyymmdd>" else window.label
        return self.before + label.encode() + self.after


def series_of(key: bytes) -> tuple[Series, Window | None]:
    """What a key is a window of, by the last date in its name; itself alone without one."""
    for form, kind, pattern in _FORMS:
        for found in reversed([*pattern.finditer(key)]):
            label = found[0].decode()
            if form == "<yyyymmdd>":
                label = f"{label[:4]}-{label[4:6]}-{label[6:]}"
            try:
                window = named(kind, label)
            except InvalidArgument:
                continue
            return Series(key[: found.start()], form, key[found.end() :]), window
    return Series(key), None


def series_named(pattern: bytes) -> Series:
    """The series with this name, as ``Series.pattern`` has it."""
    for form, _, _ in _FORMS:
        before, found, after = pattern.rpartition(form.encode())
        if found:
            return Series(before, form, after)
    return Series(pattern)


class _Counters:
    """Reads HyperLogLogs by their keys. Nothing is written."""

    _path: Any  # how the twin takes the fast path of a client

    def __init__(self, redis: Any) -> None:
        self.client = redis
        self._fast: Any = self._path(redis)

    @step
    def counts(self, keys: Sequence[bytes]) -> Steps[list[int | None]]:
        """The count of each, 0 of what is not there, None of what is no counter. One round trip.

        Raises NoPermissionError when the user may not count.
        """
        _few(keys)
        replies = yield self._fast.calls([("PFCOUNT", key) for key in keys])
        return [_counted(reply) for reply in replies]

    @step
    def merged(self, keys: Sequence[bytes]) -> Steps[int | None]:
        """How many different ones in all of them, each counted once. One command.

        None when a cluster has them in several slots: it cannot merge those.
        """
        _few(keys)
        if not keys:
            return 0
        if not one_slot(self.client, keys):
            return None
        return int((yield self._fast.call("PFCOUNT", *keys)))

    @step
    def which(self, keys: Iterable[bytes]) -> Steps[set[bytes]]:
        """Those that are counters, by their first four bytes. One round trip."""
        asked = list(keys)
        _few(asked)
        replies = yield self._fast.calls([("GETRANGE", key, 0, 3) for key in asked])
        refused = next((one for one in replies if isinstance(one, NoPermissionError)), None)
        if refused is not None and all(isinstance(one, NoPermissionError) for one in replies):
            raise refused
        return {key for key, reply in zip(asked, replies, strict=True) if reply == HEADER}


class Counters(_Counters, Blocking):
    __doc__ = _Counters.__doc__
    _path = Fast.of


class AsyncCounters(_Counters, Awaiting):
    __doc__ = _Counters.__doc__
    _path = AsyncFast.of


def _few(keys: Sequence[bytes]) -> None:
    if len(keys) > AT_ONCE:
        raise InvalidArgument(f"{len(keys)} counters: {AT_ONCE} can be read at once")


def _counted(reply: Any) -> int | None:
    if isinstance(reply, NoPermissionError):
        raise reply
    if isinstance(reply, ResponseError):
        words = str(reply)
        if "WRONGTYPE" in words or "INVALIDOBJ" in words:
            return None
    if isinstance(reply, Exception):
        raise reply
    return int(reply)
