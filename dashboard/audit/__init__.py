"""Who did what, when and where: every change and every refused change, one chain of rows.

``record`` writes one row. ``recording`` surrounds a change that happens outside SQL (in Redis):
it writes the intention first, so that nothing happens unseen, and the outcome afterwards.
When a row cannot be written they raise ``AuditUnavailable``, and the change must not happen.
"""

from typing import Any

from dashboard.audit.actions import Words, register
from dashboard.audit.errors import AuditUnavailable

__all__ = ["AuditUnavailable", "Words", "record", "recording", "register"]


def __getattr__(name: str) -> Any:
    # Models cannot be imported while apps are loading; these names come when first used.
    if name in ("record", "recording"):
        from dashboard.audit import writing

        return getattr(writing, name)
    raise AttributeError(name)
