"""Numbers and times in words, the same everywhere: see "Writing" in the design language.

Plain functions, so that views and sockets may use them too; the template filters call these.
"""

from __future__ import annotations

import datetime

UNKNOWN = "—"
MINUS = "\N{MINUS SIGN}"
BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
PARTS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def exact(value: float | None) -> str:
    """1,270,531. A fraction keeps what it has."""
    if value is None:
        return UNKNOWN
    return f"{value:,}".replace("-", MINUS)


def count(value: float | None) -> str:
    """1,204 as it is, then 41.2k, 1.27M, 3.1B: three digits say enough in a figure."""
    if value is None:
        return UNKNOWN
    if value < 0:
        return MINUS + count(-value)
    if value < 9_999.5:
        if value == int(value):
            return f"{int(value):,}"
        return f"{value:.1f}" if value < 99.95 else f"{value:,.0f}"
    return next(
        f"{_short(value / 1000**power)}{letter}"
        for power, letter in enumerate(("k", "M", "B", "T"), 1)
        if value / 1000**power < 999.5 or letter == "T"
    )


def size(value: float | None) -> str:
    """38.1 GiB, 96 B: powers of 1024, named as such."""
    if value is None:
        return UNKNOWN
    if value < 0:
        return MINUS + size(-value)
    scaled = float(value)
    for unit in BINARY:
        if scaled < 999.5 or unit == BINARY[-1]:
            break
        scaled /= 1024
    return f"{_short(scaled)} {unit}"


def _short(value: float) -> str:
    """Three digits at most, and no ".0"."""
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def duration(value: float | datetime.timedelta | None) -> str:
    """16 min 45 s, 41 d, 0.9 ms: two parts at most, seconds in."""
    if value is None:
        return UNKNOWN
    seconds = value.total_seconds() if isinstance(value, datetime.timedelta) else float(value)
    if seconds < 0:
        return MINUS + duration(-seconds)
    if seconds < 1:
        return "0 s" if seconds == 0 else _fraction(seconds)
    if seconds < 10 and seconds != int(seconds):
        return f"{_short(seconds)} s" if seconds < 9.95 else "10 s"
    left, words = round(seconds), []
    for position, (unit, length) in enumerate(PARTS):
        if left >= length:
            words.append(f"{left // length} {unit}")
            following = PARTS[position + 1 : position + 2]
            rest = left % length
            words += [f"{rest // size} {name}" for name, size in following if rest >= size]
            break
    return " ".join(words)


def _fraction(seconds: float) -> str:
    if seconds >= 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds >= 0.001:
        return f"{_short(round(seconds * 1000, 1))} ms"
    if seconds >= 0.0001:
        return f"{seconds * 1000:.1g} ms"
    return f"{seconds * 1_000_000:.0f} µs"


def moment(value: datetime.datetime | float | None) -> datetime.datetime | None:
    """A point in time with its zone, from a datetime or from seconds since 1970."""
    if value is None:
        return None
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC)
    return datetime.datetime.fromtimestamp(value, datetime.UTC)


def clock(value: datetime.datetime, now: datetime.datetime) -> str:
    """01:31:07 today, 22 Nov 18:20 this year, 22 Nov 2025 before."""
    if value.date() == now.date():
        return f"{value:%H:%M:%S}"
    if value.year == now.year:
        return f"{value.day} {value:%b %H:%M}"
    return f"{value.day} {value:%b %Y}"


def age(value: datetime.datetime, now: datetime.datetime) -> str:
    """16 min ago, in 3 h: one part, because the clock time stands beside it."""
    seconds = (now - value).total_seconds()
    words = duration(abs(round(seconds)))
    short = " ".join(words.split()[:2])
    if abs(seconds) < 1:
        return "now"
    return f"{short} ago" if seconds > 0 else f"in {short}"
