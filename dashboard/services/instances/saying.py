"""How a service is, in a sentence, and what about its page must be known first."""

from __future__ import annotations

from dataclasses import dataclass

from dashboard.services import words
from dashboard.services.instances.reading import Look
from redisops.services.model import ROUTED

NAMED = 3


@dataclass(frozen=True)
class Note:
    """A strip above the page. ``since`` is a time, seconds since 1970."""

    kind: str
    icon: str
    title: str
    sentence: str
    since: float | None = None


def verdict(look: Look) -> tuple[str, str]:
    """A state's shape, and the sentence under the title."""
    lost = look.missed
    total, routed = look.total, look.routed
    if not look.instances:
        gone = " The last ones left or were lost; see below." if look.loaded.rows else ""
        return "bad" if lost else "off", f"Nobody is registered now.{gone}"
    said = f"{routed:,} of {total:,} up"
    critical = [one.id for one in look.instances if one.state == "critical"]
    suspects = [one.id for one in look.instances if one.suspect]
    parts = []
    if critical:
        parts.append(f"{_named(critical)} critical")
    if suspects:
        parts.append(f"{_named(suspects)} silent and kept")
    if lost:
        parts.append(f"{_named(lost)} gone")
    for state in ("starting", "draining", "maintenance"):
        count = sum(one.state == state and not one.suspect for one in look.instances)
        if count:
            parts.append(f"{count:,} {words.counted(state)}")
    idle = sum(one.state in ROUTED and not one.suspect and not one.weight for one in look.instances)
    if idle:
        parts.append(f"{idle:,} of weight 0")
    shape = "bad" if not routed else "warn" if critical or suspects or lost else "ok"
    return shape, f"{said}{': ' if parts else ''}{', '.join(parts)}."


def notes(look: Look) -> list[Note]:
    """What makes the page less than whole, worst first."""
    found = []
    if look.blind_since is not None:
        found.append(Note(
            "bad", "eye-off", "Nobody has swept since",
            "Who stopped since then is not noticed, and what follows is as it was then. Start the "
            "console's services worker, or a sweeper of your own.", look.blind_since,
        ))  # fmt: skip
    elif look.was_never_swept:
        found.append(Note(
            "bad", "eye-off", "Nobody ever swept it.",
            "Who stops is not noticed. Start the console's services worker, or a sweeper.",
        ))  # fmt: skip
    held = look.known.held_until
    if held is not None and held > look.now:
        found.append(Note(
            "warn", "hourglass", "Nobody is judged yet.",
            "Sweeping has begun again after a while without: all may beat first, until", held,
        ))  # fmt: skip
    suspects = sum(one.suspect for one in look.instances)
    if suspects:
        share = look.known.terms.share * 100
        found.append(Note(
            "warn", "shield", "Self-preservation is on.",
            f"{suspects} of {len(look.instances)} went silent at once, more than {share:.0f}%: "
            "that looks like the network, so nobody is removed without a failed check.",
        ))  # fmt: skip
    if look.reading.malformed:
        found.append(Note(
            "warn", "triangle-alert", f"Records that nobody can read: {look.reading.malformed}.",
            "They are left out by every reader. Look at what is left over to remove them.",
        ))  # fmt: skip
    if look.known.missing:
        found.append(Note(
            "warn", "lock", "The console's user may not read all of it.",
            "; ".join(look.known.missing),
        ))  # fmt: skip
    return found


def _named(ids: list[str]) -> str:
    shown = ", ".join(one[:40] for one in sorted(ids)[:NAMED])
    more = len(ids) - NAMED
    return f"{shown} and {more} more" if more > 0 else shown
