"""When a key expires, as people write it: seconds, a duration, or a date in UTC."""

from __future__ import annotations

import datetime
import re

LONGEST = 100 * 366 * 86400  # seconds; what is meant to live longer has no expiry
UNITS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
HINT = "Seconds (3600), a duration (2h 30m, 7d), or a date in UTC (2027-01-31 18:00)."

_NAMES = {
    "w": r"w|weeks?", "d": r"d|days?", "h": r"h|hours?|hrs?", "ms": r"ms|milliseconds?",
    "m": r"m|mins?|minutes?", "s": r"s|secs?|seconds?",
}  # fmt: skip
_PART = re.compile(
    r"(\d{1,15}(?:\.\d{1,3})?)\s*(?:"
    + "|".join(f"(?P<{k}>{v})" for k, v in _NAMES.items())
    + r")\b"
)


class BadTime(ValueError):
    """The words are no expiry; the message is a sentence for the person who typed them."""


def read(words: str, now: int) -> int:
    """When it is to expire, in milliseconds since 1970; ``now`` likewise, the server's clock.

    Raises BadTime for what is no time, and for a time that has passed.
    """
    text = " ".join(words.strip().lower().removeprefix("in ").split())
    if not text:
        raise BadTime(HINT)
    at = _exact(text) or _seconds(text, now) or _duration(text, now) or _date(text)
    if at <= now:
        raise BadTime("That time has passed: the key would be gone at once. Delete it instead.")
    if at - now > LONGEST * 1000:
        raise BadTime("That is more than 100 years away: remove the expiry instead.")
    return at


def _exact(text: str) -> int | None:
    """``@`` and milliseconds since 1970, as ``fixed`` gives it."""
    found = re.fullmatch(r"@(\d{1,15})", text)
    return int(found[1]) if found else None


def fixed(at: int) -> str:
    """The very millisecond, for a form that is sent again after a lost reply."""
    return f"@{at}"


def _seconds(text: str, now: int) -> int | None:
    if not re.fullmatch(r"\d{1,15}", text):
        return None
    if int(text) > LONGEST:
        raise BadTime("That is more than 100 years in seconds. A date is written 2027-01-31 18:00.")
    return now + int(text) * 1000


def _duration(text: str, now: int) -> int | None:
    if _PART.sub("", text).strip(" ,"):
        return None
    total = 0.0
    for part in _PART.finditer(text):
        unit = next(name for name in UNITS if part.group(name))
        total += float(part[1]) * UNITS[unit]
    return now + round(total)


def _date(text: str) -> int:
    shown = text.upper().removesuffix("UTC").strip()
    try:
        at = datetime.datetime.fromisoformat(shown)
    except ValueError:
        raise BadTime(f"“{text[:60]}” is no time. {HINT}") from None
    if at.tzinfo is None:
        at = at.replace(tzinfo=datetime.UTC)
    try:
        return round(at.timestamp() * 1000)
    except (OverflowError, ValueError):
        raise BadTime(HINT) from None


def written(at: int) -> str:
    """A time in milliseconds since 1970 as ``read`` takes it back, to the second: UTC."""
    moment = datetime.datetime.fromtimestamp(at / 1000, datetime.UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")
