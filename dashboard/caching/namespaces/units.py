"""Times and sizes as people write them, and as they read them."""

from __future__ import annotations

import re

from dashboard.ui import numbers

SECONDS = {"ms": 0.001, "s": 1, "sec": 1, "second": 1, "min": 60, "m": 60, "minute": 60, "h": 3600,
           "hour": 3600, "d": 86400, "day": 86400}  # fmt: skip
BYTES = {"b": 1, "byte": 1, "kb": 1000, "mb": 10**6, "kib": 1024, "k": 1024, "mib": 1024**2,
         "m": 1024**2}  # fmt: skip
WRITTEN = re.compile(r"\s*([0-9][0-9 ,_]{0,15}(?:\.[0-9]{1,9})?)?\s*([a-zA-Z]{0,10})\s*")
GROUPED = re.compile(r"[ ,_\u202f\u00a0]")


def seconds(text: str) -> float | None:
    """Seconds of ``60 s``, ``5 min``, ``1.5 h``, ``day``; a bare number is seconds; else None."""
    found = _read(text, SECONDS, "s")
    return None if found is None else round(found, 6)


def size(text: str) -> int | None:
    """Bytes of ``1 MiB``, ``64 KiB``, ``1,048,576``; a bare number is bytes; else None."""
    found = _read(text, BYTES, "b")
    return None if found is None or found != int(found) else int(found)


def _read(text: str, units: dict[str, float] | dict[str, int], usual: str) -> float | None:
    found = WRITTEN.fullmatch(text) if text.strip() else None
    if found is None:
        return None
    unit = (found[2] or usual).lower()
    if unit not in units and unit.endswith("s"):
        unit = unit[:-1]
    if unit not in units or not (found[1] or found[2]):
        return None
    return (float(GROUPED.sub("", found[1])) if found[1] else 1.0) * units[unit]


def written_seconds(value: float) -> str:
    """In the largest unit that keeps it whole: ``5 min``, ``90 s``, ``250 ms``."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if value >= length and value % length == 0:
            return f"{int(value // length)} {unit}"
    if 0 < value < 1:
        return f"{value * 1000:g} ms"
    return f"{value:g} s"


def written_size(value: int) -> str:
    """In the largest unit that keeps it whole: ``1 MiB``, ``1,500 B``."""
    for unit, length in (("MiB", 1024**2), ("KiB", 1024)):
        if value >= length and value % length == 0:
            return f"{value // length} {unit}"
    return f"{value:,} B"


def percent(share: float | None) -> str:
    """``97.4%``; a share that is not known has a dash."""
    if share is None:
        return numbers.UNKNOWN
    if 0 < share < 0.0005 or 0.9995 <= share < 1:  # neither none of it nor all
        return "<0.1%" if share < 0.5 else ">99.9%"
    return f"{share:.1%}".replace(".0%", "%")
