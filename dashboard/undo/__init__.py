"""What the console keeps of values that people deleted or overwrote: the recycle bin.

``begin`` opens a removal; ``removal.remove(redis, keys)`` deletes keys so that each can come
back (DUMP, keep, guarded UNLINK), or call ``removal.keep`` before and ``removal.settle`` after a
change of your own. ``restore`` puts back. Keys, values and names are sealed in SQL.
"""

from typing import Any

_PLACES = {
    "begin": "keeping",
    "can_keep": "keeping",
    "kept_of": "keeping",
    "told": "keeping",
    "CannotKeep": "errors",
    "Emptied": "errors",
    "Full": "errors",
    "TooBig": "errors",
    "restore": "restoring",
    "Options": "options",
    "Restored": "options",
}
__all__ = list(_PLACES)


def __getattr__(name: str) -> Any:
    # Models cannot be imported while apps are loading; these names come when first used.
    if name not in _PLACES:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(f"dashboard.undo.{_PLACES[name]}"), name)
