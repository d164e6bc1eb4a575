"""``POST /api/limits/acquire``, ``renew``, ``release``: places in flight for other programs.

Nothing is kept here: what a request holds goes out as a lease, a signed text, and comes back. Any
process of the console takes it, and nobody can make one up.
"""

from __future__ import annotations

import base64
import datetime
from collections.abc import Sequence
from typing import Any, NoReturn

from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router

from dashboard.api.problems import Refused, documented
from dashboard.api.tokens import enter
from dashboard.limits.api import deciding, doors
from dashboard.limits.api.endpoint import CHECK, MOST_SECONDS, STATUSES
from dashboard.limits.api.schemas import Place, Reference, Released, Renewed, Wish
from dashboard.servers.models import Server
from redisops.limits.places import Held, release_places, renew_places, take_places
from redisops.resilience import deadline

SALT = "limits.lease"
AWAY = {**STATUSES, 503: "Stopped, or away. The places are free when their lease ends."}


def add_to(router: Router) -> None:
    """Mount the three of them."""
    shared: dict[str, Any] = {"tags": ["limits"]}
    router.post(
        "/acquire", response={200: Place}, summary="Take the places of a request",
        operation_id="acquire_places", url_name="acquire_places",
        openapi_extra=documented(STATUSES), **shared,
    )(acquire)  # fmt: skip
    router.post(
        "/renew", response={200: Renewed}, summary="Hold places on", operation_id="renew_places",
        url_name="renew_places", openapi_extra=documented(AWAY), **shared,
    )(renew)  # fmt: skip
    router.post(
        "/release", response={200: Released}, summary="Give places back",
        operation_id="release_places", url_name="release_places",
        openapi_extra=documented(AWAY), **shared,
    )(release)  # fmt: skip


def acquire(request: HttpRequest, response: HttpResponse, wish: Wish) -> dict[str, Any]:
    """A place of every policy for concurrency that the request falls under, or of none.

    They are held until you give them back, and at most for the seconds that the policy says:
    renew after a third of them. Rates are named in ``undecided``: ask check, once you hold the
    places. While the server's Redis is away, a policy that fails closed refuses, and the others
    let you go on without a lease.
    """
    server = enter(request, response, CHECK, wish.server)
    with deadline(MOST_SECONDS):
        door = doors.of(server)
        found = door.book.match(deciding.asked(wish.request, wish.request.priority))
        taken = take_places(door.guard, found, wish.request.priority)
    rates = [one.policy.name for one in found if one.policy.algorithm != "concurrency"]
    return {
        "server": server.slug,
        "version": door.book.version,
        "allowed": taken.verdict.allowed,
        "lease": written(server, taken.held) if taken.held else "",
        "verdict": deciding.said(taken.verdict, found, rates),
        **_term(taken.seconds),
    }


def renew(request: HttpRequest, response: HttpResponse, reference: Reference) -> dict[str, Any]:
    """Hold the places for as long again, from now on.

    One that ended, or was taken back by people, is lost: it is not taken again, since others may
    have every place by now, and what else the lease holds is given back. Stop, or acquire anew.
    """
    server = enter(request, response, CHECK, reference.server)
    held = read(server, reference.lease)
    with deadline(MOST_SECONDS):
        seconds = renew_places(doors.of(server).guard, held)
    return {"server": server.slug, "held": seconds > 0, **_term(seconds)}


def release(request: HttpRequest, response: HttpResponse, reference: Reference) -> dict[str, Any]:
    """Give the places back; harmless when repeated."""
    server = enter(request, response, CHECK, reference.server)
    held = read(server, reference.lease)
    with deadline(MOST_SECONDS):
        released = release_places(doors.of(server).guard, held)
    return {"server": server.slug, "released": released}


def written(server: Server, held: Sequence[Held]) -> str:
    """A lease: the server's number and the places, signed."""
    places = [
        [base64.b64encode(one.key).decode(), one.token.decode(), one.seconds, one.shadow]
        for one in held
    ]
    return signing.dumps([server.pk, places], salt=SALT, compress=True)


def read(server: Server, lease: str) -> list[Held]:
    """What ``written`` wrote for this server; ``Refused`` 422 for anything else."""
    try:
        number, places = signing.loads(lease, salt=SALT)
    except signing.BadSignature:
        _refuse()
    if number != server.pk:
        _refuse()
    return [Held(base64.b64decode(key), token.encode(), *rest) for key, token, *rest in places]


def _refuse() -> NoReturn:
    raise Refused(422, "This is no lease of this server", "Send it back as acquire gave it to you.")


def _term(seconds: float) -> dict[str, Any]:
    ends = timezone.now() + datetime.timedelta(seconds=seconds) if seconds > 0 else None
    return {"seconds": round(seconds, 3), "ends": ends}
