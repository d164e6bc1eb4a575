"""What happened to services, kept in SQL: collected once, computed from exactly, shown with gaps.

``listeners`` are told of changes in the transaction that keeps them: what a listener raises takes
the rows back, and they are collected again. Changes may be old (after a stop of the console, or
at its first look): a listener goes by ``Change.at``. Rows whose ``is_gap`` is true are no changes
but spans of which nobody knows what happened; they come too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dashboard.services.history.models import Change

listeners: list[Callable[[Sequence[Change]], None]] = []
