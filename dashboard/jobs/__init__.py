"""Work that takes longer than a page may: started by a person, done in steps by a worker.

``Kind`` is one kind of work; register one of each in ``AppConfig.ready()``, and
``start`` a job of it.
"""

from typing import Any

__all__ = ["Busy", "Interrupted", "Kind", "Work", "register", "start"]

_PLACES = {
    "Busy": "starting",
    "start": "starting",
    "Kind": "kinds",
    "register": "kinds",
    "Interrupted": "work",
    "Work": "work",
}


def __getattr__(name: str) -> Any:
    # Models cannot be imported while apps are loading; these names come when first used.
    if name not in _PLACES:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(f"dashboard.jobs.{_PLACES[name]}"), name)
