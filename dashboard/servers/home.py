"""The row of home, the Redis that the console itself runs on; its address is in the settings."""

from __future__ import annotations

from dashboard.servers.models import HOME, Server


def ensure() -> Server:
    """The home row, made when it is not there yet; safe to run at every start."""
    server, _ = Server.objects.get_or_create(
        slug=HOME,
        defaults={"name": _free_name(), "note": "The Redis that this console runs on."},
    )
    return server


def _free_name() -> str:
    """ "Home", or the first "Home n" that nobody gave to another server."""
    names = set(Server.objects.filter(name__startswith="Home").values_list("name", flat=True))
    return next(
        name for n in range(1, 1000) if (name := f"Home {n}" if n > 1 else "Home") not in names
    )
