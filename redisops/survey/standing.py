"""Where a survey stands: what it has counted, how far it is, and its state to go on from."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from redisops.errors import InvalidArgument
from redisops.pace import Pace
from redisops.survey.asking import Asking
from redisops.survey.figures import Figures
from redisops.survey.prices import Price
from redisops.survey.readers import Reader, Readers
from redisops.survey.tally import Tally, deflated, inflated

SAMPLES = 30_000  # keys to measure of a larger keyspace, and half as many again for new folders
FOLDERS = 20_000
FIRST = 100  # COUNT of the first SCAN
VERSION = 1


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a survey is. ``total`` is what DBSIZE said at the start; None: it may not be asked.

    ``counted`` keys so far, ``measured`` of them; ``node`` is being walked, ``scans`` so far.
    """

    counted: int
    measured: int
    total: int | None
    node: str
    scans: int
    is_done: bool


class Standing:
    """What a survey knows so far, and where it is. Asks nothing of a server.

    Raises InvalidArgument for a state that is not one of ours.
    """

    def __init__(
        self, redis: Any, *, delimiter: bytes = b":", limit: int = FOLDERS,
        samples: int | None = SAMPLES, pace: Pace | None = None, state: bytes | None = None,
        replicas: bool = True,
    ) -> None:  # fmt: skip
        self.redis = redis
        self.pace = pace or Pace(share=None)
        self.asking = Asking()
        self._samples = samples
        self._whole = Tally(delimiter, limit)
        self._part: Tally | None = None
        self._readers = Readers(redis)
        self._replicas = replicas
        self._reader: Reader | None = None  # of the part under way, once it was met
        self._node = ""
        self._replica = ""  # its name, when the part is read from one
        self._identity = ""
        self._cursor: int | None = 0  # None: all of this part is counted
        self._chosen: list[bytes] = []
        self._done: list[str] = []
        self._left: list[str] = []
        self._again = 0
        self._count = FIRST
        self.scans = 0
        self.total: int | None = None
        self.total_after: int | None = None
        self.seconds = 0.0
        self.is_done = False
        self._places: dict[str, Any] | None = None
        self._rested = time.thread_time()
        self._scanning = Price(0.3e-6)
        self._measuring = Price(1e-6)
        if state is not None:
            self._go_on_from(state)

    @property
    def progress(self) -> Progress:
        """How far it is."""
        part = self._part
        return Progress(
            self._whole.counted + (part.counted if part else 0),
            self._whole.measured + (part.measured if part else 0),
            self.total, self._node, self.scans, self.is_done,
        )  # fmt: skip

    @property
    def facts(self) -> dict[str, Any]:
        """Of the survey itself, as JSON: totals by the server, time, rights that lack, nodes."""
        return {
            "total": self.total,
            "total_after": self.total_after,
            "seconds": round(self.seconds, 1),
            "scans": self.scans,
            "missing": sorted(self.asking.missing),
            "out_of_reach": self.asking.out_of_reach,
            "use": self.asking.use,
            "nodes": self._done,
            "left": self._left,
            "again": self._again,
            "places": self._readers.told,
            "is_done": self.is_done,
        }

    def figures(self) -> Figures:
        """What is known: all of it when ``is_done``, the part that was walked before that."""
        whole = self._whole
        if self._part is not None:
            whole = Tally.unpacked(whole.packed())
            whole.step = self._part.step
            whole.join(Tally.unpacked(self._part.packed()))
        return Figures.of(whole, self.facts)

    def state(self) -> bytes:
        """Where it is, compressed; about 100 bytes for a folder."""
        return deflated(
            {
                "version": VERSION,
                "whole": self._whole.packed(),
                "part": self._part and self._part.packed(),
                "samples": self._samples,
                "at": [self._node, self._identity, self._cursor, self._count],
                "replica": self._replica,
                "places": self._readers.told,
                "done": self._done,
                "left": self._left,
                "again": self._again,
                "scans": self.scans,
                "total": self.total,
                "total_after": self.total_after,
                "seconds": self.seconds,
                "missing": sorted(self.asking.missing),
                "out_of_reach": self.asking.out_of_reach,
                "use": self.asking.use,
                "is_done": self.is_done,
            }
        )

    def _go_on_from(self, state: bytes) -> None:
        document = inflated(state)
        if document.get("version") != VERSION:
            raise InvalidArgument(f"a survey of version {document.get('version')!r} is not ours")
        self._whole = Tally.unpacked(document["whole"])
        self._part = Tally.unpacked(document["part"]) if document["part"] else None
        self._samples = document["samples"]
        self._node, self._identity, self._cursor, self._count = document["at"]
        self._replica = document.get("replica", "")
        self._readers = Readers(self.redis, document.get("places"))
        self._done, self._left = document["done"], document["left"]
        self._again, self.scans = document["again"], document["scans"]
        self.total, self.total_after = document["total"], document["total_after"]
        self.seconds, self.is_done = document["seconds"], document["is_done"]
        self.asking.missing = set(document["missing"]) - {"~"}
        self.asking.out_of_reach = document["out_of_reach"]
        self.asking.use = document["use"]
