"""Why something is not kept. Each has a sentence for people; nothing was removed then."""

from __future__ import annotations


class CannotKeep(Exception):
    """The recycle bin does not take it; the words say why and what can be done."""


class Full(CannotKeep):
    """``UNDO_BYTES`` are in use and nothing has expired."""


class TooBig(CannotKeep):
    """One value is larger than ``UNDO_VALUE_BYTES``."""


class Emptied(CannotKeep):
    """The removal expired, or its server was forgotten, while work was still adding to it."""
