"""How long the checks of a service take, over time: series on home, two seconds to thirty days."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from channels.db import database_sync_to_async
from django.conf import settings

from dashboard.servers.models import Server
from dashboard.servers.sampling import samples
from dashboard.services.history.models import Followed
from redisops.series import AsyncSeries, Fold, Point, Series

FIELDS: dict[str, Fold] = {"median": "mean", "worst": "max", "failed": "max", "checks": "mean"}
MOST = 200
"""Services of one server that have a plot: the first that were collected."""
LISTED_SECONDS = 30.0
_plotted: dict[int, tuple[float, frozenset[str]]] = {}


class Timing(NamedTuple):
    """One check: whose, how long it took in ms (None when nothing answered), whether it failed."""

    instance: str
    ms: float | None
    failed: bool


async def record(server: Server, service: str, rows: Sequence[Timing]) -> None:
    """Keep the checks of one service that ended within one step of two seconds.

    One round trip to home; what other watchers saw of the step stays beside it. Raises home's
    Redis errors.
    """
    await record_all(server, {service: rows})


async def record_all(server: Server, rows: Mapping[str, Sequence[Timing]]) -> None:
    """The same for many services in one round trip: call it once every two seconds.

    Services beyond the first ``MOST`` of a server are left out, and those not yet collected.
    """
    plotted = await database_sync_to_async(_names)(server)
    at = samples.slot()
    points = [
        Point(name_of(server, service), at, _folded(found))
        for service, found in rows.items()
        if found and service in plotted
    ]
    if points:
        client = samples.home().async_client()
        await AsyncSeries(client, prefix(), FIELDS).share(points, "checks")


def series() -> Series:
    """The series for a page or a task."""
    return Series(samples.home().client(), prefix(), FIELDS)


def prefix() -> str:
    return f"{settings.HOME_PREFIX}services:"


def name_of(server: Server, service: str) -> str:
    """A service's name in the series."""
    return f"{server.pk}:{service}"


def plotted(server: Server) -> list[str]:
    """The services of a server that have a plot."""
    rows = Followed.objects.filter(server=server).order_by("pk")
    return list(rows.values_list("service", flat=True)[:MOST])


def _names(server: Server) -> frozenset[str]:
    found = _plotted.get(server.pk)
    if found is None or time.monotonic() - found[0] > LISTED_SECONDS:
        found = _plotted[server.pk] = time.monotonic(), frozenset(plotted(server))
    return found[1]


def _folded(rows: Sequence[Timing]) -> dict[str, float | None]:
    times = sorted(
        one.ms for one in rows if one.ms is not None and math.isfinite(one.ms) and not one.failed
    )
    return {
        "median": times[len(times) // 2] if times else None,
        "worst": times[-1] if times else None,
        "failed": sum(one.failed for one in rows) / len(rows) * 100,
        "checks": float(len(rows)),
    }
