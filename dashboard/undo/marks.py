"""What is known of each kept entry: one byte, in the order of the entries of a chunk."""

from __future__ import annotations

KEPT = ord("?")  # kept, and nobody knows whether the key was removed
REMOVED = ord("r")
OVERWRITTEN = ord("o")  # the key is there, with another value
STAYED = ord("n")  # the key was not removed: not offered
BACK = ord("b")
TRYING = ord("u")  # a restore was sent; its reply may have been lost
TAKEN = ord("t")
EXPIRED = ord("x")
INCOMPATIBLE = ord("i")
REFUSED = ord("f")

# What the last word of a restore means for the entry.
OF_RESULT = {
    "restored": BACK,
    "taken": TAKEN,
    "changed": TAKEN,
    "gone": REFUSED,
    "unclear": TRYING,
    "expired": EXPIRED,
    "incompatible": INCOMPATIBLE,
    "refused": REFUSED,
}
# (state's shape, word, sentence)
WORDS = {
    KEPT: ("unknown", "Perhaps removed", "The console was cut off before it knew."),
    REMOVED: ("off", "Removed", ""),
    OVERWRITTEN: ("off", "Overwritten", "Restoring replaces what is there now."),
    STAYED: ("ok", "Not removed", "It changed or was gone by then; nothing was done to it."),
    BACK: ("ok", "Restored", ""),
    TRYING: ("unknown", "Perhaps restored", "The reply was lost. Look at the key, or try again."),
    TAKEN: ("warn", "Name is taken", "Something else is there. Restore to another name."),
    EXPIRED: ("off", "Expired since", "Its time is over. Restore it with a new time to live."),
    INCOMPATIBLE: ("bad", "Incompatible", "This server cannot read it. Restore it elsewhere."),
    REFUSED: ("bad", "Refused", "The server refused it, or there is nothing to change any more."),
}


def settled(word: str) -> int:
    """The mark for what became of a key after it was kept."""
    return {"removed": REMOVED, "overwritten": OVERWRITTEN}.get(word, STAYED)


def of(result: str) -> int:
    """The mark for a restore's result."""
    return OF_RESULT.get(result.partition(":")[0], REFUSED)
