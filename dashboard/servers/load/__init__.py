"""What the console may cost a server: ceilings for its work, and the switch that stops it all."""

from typing import Any

from dashboard.servers.load.errors import WorkStopped

__all__ = ["WorkStopped", "pace", "resume", "share_of", "stop"]

_PLACES = {"pace": "ceilings", "share_of": "ceilings", "stop": "switch", "resume": "switch"}


def __getattr__(name: str) -> Any:
    # The door to the clients knows WorkStopped before there are models.
    if name not in _PLACES:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(f"dashboard.servers.load.{_PLACES[name]}"), name)
