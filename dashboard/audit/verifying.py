"""Walks the chain from its first row to its head and says where it breaks."""

from __future__ import annotations

from dataclasses import dataclass

from dashboard.audit import chain
from dashboard.audit.models import Entry, Head


@dataclass(frozen=True)
class Verdict:
    """``number`` is the first row that is wrong, None when the whole chain holds."""

    rows: int
    number: int | None
    words: str


def verify() -> Verdict:
    """Check every row against its seal, its number and the row before. Reads each row once.

    Writers go on meanwhile: what they add is walked too, up to the head as it is at the end.
    """
    keys = chain.known_keys()
    last, previous = 0, chain.START
    while True:
        head = Head.objects.filter(pk=1).first()
        end = head.number if head else 0
        rows = Entry.objects.filter(number__gt=last, number__lte=end).order_by("number")
        for entry in rows.iterator(chunk_size=500):
            wrong = _wrong(entry, last + 1, previous, keys)
            if wrong:
                return Verdict(last, last + 1, wrong)
            last, previous = entry.number, entry.hash
        wrong = _wrong_end(head, last, previous, keys)
        if wrong:
            return Verdict(last, last + 1, wrong)
        if not Entry.objects.filter(number__gt=end).exists():
            break
        if Head.objects.filter(pk=1, number=end).exists():
            return Verdict(last, end + 1, f"entry {end + 1} was added past the head")
    return Verdict(last, None, f"{last:,} entries, each in its place and as it was written")


def end_is_whole() -> bool:
    """Whether the last row and the head fit each other: two queries, for every view of the page."""
    head = Head.objects.filter(pk=1).first()
    entry = Entry.objects.order_by("-number").first()
    if head is None or entry is None:
        return head is None and entry is None
    # Read after the head, so it may be newer, but never older.
    is_cut = entry.number < head.number
    is_replaced = entry.number == head.number and entry.hash != head.hash
    keys = chain.known_keys()
    return not (is_cut or is_replaced or _wrong_end(head, head.number, head.hash, keys))


def _wrong(entry: Entry, expected: int, previous: str, keys: dict[str, bytes]) -> str:
    if entry.number != expected:
        return f"entry {expected} is missing: the next one there is {entry.number}"
    if entry.key_id not in keys:
        return f"entry {entry.number} was sealed with a key that is not known here ({entry.key_id})"
    if entry.prev_hash != previous:
        return f"entry {entry.number} does not follow the entry before it"
    if not chain.is_sealed(keys[entry.key_id], entry.content(), entry.hash):
        return f"entry {entry.number} was altered after it was written"
    return ""


def _wrong_end(head: Head | None, last: int, previous: str, keys: dict[str, bytes]) -> str:
    if head is None:
        return "the head of the chain is missing" if Entry.objects.exists() else ""
    if head.key_id not in keys:
        return f"the head was sealed with a key that is not known here ({head.key_id})"
    if not chain.is_sealed(keys[head.key_id], head.content(), head.seal):
        return "the head of the chain was altered"
    if head.number > last:
        return f"entries {last + 1} to {head.number} are missing at the end"
    if head.hash != previous:
        return "the head does not belong to the last entry"
    return ""
