"""What decoding may cost: sizes, a ratio, steps and time, kept by one budget per value.

Parsers of other people pull their bytes through the budget (:class:`MeteredFile`,
:class:`MeteredBytes`), so that it can stop them in the middle: steps first, since they are the
same on every machine, and processor time as the last net. :class:`Spent` is no ``Exception``,
because parsers that guess catch those and try the next guess.
"""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one ``decode``. The defaults keep any input below about half a second.

    input: bytes looked at; the rest is cut.       output: bytes that one layer may unpack to.
    ratio: unpacked size over packed size.         text: characters shown.
    chain: layers (base64, then zlib, then JSON is three).   depth: levels of nesting shown.
    steps: reads that a parser may make.
    seconds: processor time, so that a busy machine shows what an idle one shows.
    """

    input: int = 1024 * 1024
    output: int = 1024 * 1024
    ratio: int = 1000
    text: int = 200_000
    chain: int = 8
    depth: int = 64
    steps: int = 400_000
    seconds: float = 0.5


class NotThis(Exception):
    """The bytes are not what this decoder reads; the message says why, for the page to show."""


class Spent(BaseException):
    """The budget is used up; the message is the note for the page."""


class Budget:
    """One value's budget; :meth:`spend` raises :class:`Spent` when it is used up."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._left = limits.steps
        self._end = time.thread_time() + limits.seconds

    def spend(self, steps: int = 1) -> None:
        self._left -= steps
        if self._left < 0:
            raise Spent(f"It takes more than {self.limits.steps:,} steps to read.")
        if not self._left % 256 and time.thread_time() > self._end:
            raise Spent(f"It takes more than {self.limits.seconds:g} s to read.")

    def room(self, packed: int) -> int:
        """How many bytes a layer of ``packed`` bytes may unpack to."""
        return min(self.limits.output, max(64 * 1024, packed * self.limits.ratio))


class MeteredFile(io.BytesIO):
    """A file whose every read is a step."""

    def __init__(self, data: bytes, budget: Budget) -> None:
        super().__init__(data)
        self._budget = budget

    def read(self, size: int | None = -1, /) -> bytes:
        self._budget.spend()
        if size is not None and size > 2**62:  # BytesIO raises OverflowError, parsers do not mind
            size = -1
        return super().read(size)

    def readline(self, size: int | None = -1, /) -> bytes:
        self._budget.spend()
        return super().readline(size)


class MeteredBytes(bytes):
    """Bytes whose every index or slice is a step; slices are metered, too."""

    budget: Budget

    @classmethod
    def of(cls, data: bytes, budget: Budget) -> MeteredBytes:
        metered = cls(data)
        metered.budget = budget
        return metered

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            part = super().__getitem__(at)
            # A slice copies: its length counts, or nested copies would be quadratic for nothing.
            self.budget.spend(1 + len(part) // 64)
            return MeteredBytes.of(part, self.budget)
        self.budget.spend()
        return super().__getitem__(at)
