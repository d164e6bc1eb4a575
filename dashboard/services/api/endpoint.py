"""``/api/services/``: register, beat, leave and discover, for programs that are not in Python."""

from __future__ import annotations

import functools
import hashlib
from typing import Any, cast

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Query, Router, Status
from redis.exceptions import RedisError

from dashboard.accounts import tokens
from dashboard.accounts.models import ApiToken
from dashboard.api.endpoint import Section
from dashboard.api.pages import fields_of
from dashboard.api.problems import Refused, documented
from dashboard.api.tokens import enter, server_for, verify
from dashboard.servers.clients import refuse_stopped
from dashboard.servers.models import Server
from dashboard.services.api import following, schemas, scraping, telling, waiting
from redisops.errors import RedisopsError
from redisops.resilience import deadline
from redisops.services import Held, Registration, Registry
from redisops.services.agent import BEATS
from redisops.services.naming import check_instance, check_service

REGISTER, DISCOVER = "services.register", "services.discover"
MOST_SECONDS = 2.0  # of all commands of one request
STATUSES = documented(
    {
        401: "No valid token.",
        403: "The token lacks the scope or the service, or its owner the role.",
        404: "The token is for no server of that name, or nobody registered that service.",
        422: "The request is not what is described here.",
        429: "This token asks too often (policy console-api).",
        503: "Redis or the console's database is away, or console work is stopped there.",
    }
)

router = Router(tags=["services"])


@router.post(
    "/register", response=schemas.RegistrationsAnswer, summary="Register instances",
    operation_id="register_instances", url_name="register_instances", openapi_extra=STATUSES,
)  # fmt: skip
def register(
    request: HttpRequest, response: HttpResponse, asked: schemas.Registrations
) -> dict[str, Any]:
    """Register instances, or change what they say of themselves. May be repeated.

    Keep each ``fence``: it proves that you hold the id. Then beat before the lease is over.
    """
    server = _enter(request, response, REGISTER, asked.server, [o.service for o in asked.instances])
    several = [
        (Registration(**one.dict(exclude={"fence", "tags"}), tags=tuple(one.tags)), one.fence or 0)
        for one in asked.instances
    ]
    with deadline(MOST_SECONDS):
        why = f"registered over HTTP, {_by(request)}"
        answers = Registry(server.client()).register_all(several, why=why)
    found: list[dict[str, Any]] = []
    for (who, _), answer in zip(several, answers, strict=True):
        named = {"service": who.service, "id": who.id}
        if isinstance(answer, Held):
            found.append(named | {"fence": answer.fence, "state": answer.state, "problem": ""})
        else:
            found.append(named | {"fence": 0, "state": "", "problem": f"{answer}"[:300]})
    return {"instances": found, "beat_every": _beat_every(who.ttl for who, _ in several)}


@router.post(
    "/beat", response=schemas.BeatsAnswer, summary="Beat",
    operation_id="beat_instances", url_name="beat_instances", openapi_extra=STATUSES,
)  # fmt: skip
def beat(request: HttpRequest, response: HttpResponse, asked: schemas.Beats) -> dict[str, Any]:
    """Prolong the leases of instances, many in one round trip to Redis."""
    server = _enter(request, response, REGISTER, asked.server, [o.service for o in asked.instances])
    with deadline(MOST_SECONDS):
        answers = Registry(server.client()).beat(_held(asked))
    return {
        "missing": [_named(of, id) for of, one in answers.items() for id in one.missing],
        "replaced": [_named(of, id) for of, one in answers.items() for id in one.replaced],
        "beat_every": _beat_every(one.ttl for one in asked.instances),
    }


@router.post(
    "/drain", response=schemas.DrainAnswer, summary="Drain",
    operation_id="drain_instances", url_name="drain_instances", openapi_extra=STATUSES,
)  # fmt: skip
def drain(request: HttpRequest, response: HttpResponse, asked: schemas.Draining) -> dict[str, Any]:
    """No new traffic to these: they stay registered and go on beating until they leave."""
    server = _enter(request, response, REGISTER, asked.server, [o.service for o in asked.instances])
    registry, held = Registry(server.client()), _held(asked)
    with deadline(MOST_SECONDS):
        answers = registry.beat(held)
        gone = {(of, id) for of, one in answers.items() for id in one.missing}
        lost = {(of, id) for of, one in answers.items() for id in one.replaced}
        there = [one for one in held if (one.service, one.id) not in gone | lost]
        why = f"{asked.why or 'draining'} (over HTTP, {_by(request)})"
        registry.leave(there, why, drain=True)
    return {
        "drained": [_named(one.service, one.id) for one in there],
        "missing": [_named(*one) for one in sorted(gone)],
        "replaced": [_named(*one) for one in sorted(lost)],
    }


@router.get(
    "/http_sd", response=list[schemas.Targets], summary="Targets for Prometheus",
    operation_id="http_sd", url_name="http_sd", openapi_extra=STATUSES,
)  # fmt: skip
def http_sd(
    request: HttpRequest,
    response: HttpResponse,
    asked: Query[schemas.Scraping],
) -> list[dict[str, Any]]:
    """Every instance as a target with labels ``__meta_redisops_*``.

    503 while Redis is away or has lost its data and not all are back, and when there is nothing:
    Prometheus keeps its targets then. An empty list is never an answer.
    """
    service = asked.service
    row = _enter(request, response, DISCOVER, asked.server, [service] if service else [])
    token = cast(ApiToken, request.auth)  # type: ignore[attr-defined]
    with deadline(MOST_SECONDS):
        found = scraping.instances(row, service, functools.partial(_is_for, token))
    is_fitting = telling.filtering(asked.state, "", "", "")
    return telling.targets(one for one in found if is_fitting(one))


@router.get(
    "/{service}", response={200: schemas.ServiceOut, 304: None}, summary="Discover a service",
    operation_id="discover_service", url_name="service", openapi_extra=STATUSES,
)  # fmt: skip
def discover(
    request: HttpRequest,
    response: HttpResponse,
    service: schemas.Name,
    asked: Query[schemas.Finding],
) -> Any:
    """The instances of a service, at once or when they change.

    With ``index`` and ``wait`` the answer comes as soon as the index is another one, or with the
    same one after ``wait``. Without ``wait``, If-None-Match with the ETag gives 304. While Redis is
    away, what this console knows is answered with its ``age``, or 503. A service of which Redis
    knows nothing is 404, unless ``index`` says that it is waited for or was known.
    """
    row = _enter(request, response, DISCOVER, asked.server, [service])
    chosen = (asked.state, asked.version, asked.zone, asked.tag)
    is_fitting = telling.filtering(*chosen)
    epoch, count, instances, age = _known(row, service)
    if not (epoch or count or instances or asked.index):
        detail = f"Nobody registered {service} there. Is the name right?"
        raise Refused(404, "There is no such service", detail)
    now = telling.index_of(epoch, count)
    if asked.wait and asked.index == now:
        still = _still(request, asked.server, service)
        body = waiting.changed(row, service, now, asked.wait, is_fitting, still)
        return _streamed(response, body, "application/json")
    etag = f'W/"{now}"' if age else f'"{_digest(now, *chosen)}"'
    if not asked.wait and not age and request.headers.get("If-None-Match") == etag:
        response["ETag"] = etag
        return Status(304, None)
    response["ETag"] = etag
    response["Cache-Control"] = "no-cache"
    return telling.service(service, now, instances, is_fitting, age)


@router.get(
    "/{service}/watch", response={200: None}, summary="Watch a service",
    operation_id="watch_service", url_name="watch_service", openapi_extra=STATUSES,
)  # fmt: skip
def watch(
    request: HttpRequest,
    response: HttpResponse,
    service: schemas.Name,
    asked: Query[schemas.Where],
) -> Any:
    """Server-Sent Events: ``service`` with all instances first, then every ``change`` in order.

    The id of each is the index; Last-Event-ID tells where to go on.
    """
    row = _enter(request, response, DISCOVER, asked.server, [service])
    last = request.headers.get("Last-Event-ID", "")[:100]
    is_fitting = telling.filtering("all", "", "", "")
    body = waiting.events(row, service, last, is_fitting, _still(request, asked.server, service))
    return _streamed(response, body, "text/event-stream")


@router.delete(
    "/{service}/{instance}", response=schemas.LeaveAnswer, summary="Leave",
    operation_id="leave_service", url_name="instance", openapi_extra=STATUSES,
)  # fmt: skip
def leave(
    request: HttpRequest,
    response: HttpResponse,
    service: schemas.Name,
    instance: schemas.Id,
    asked: Query[schemas.Leaving],
) -> dict[str, Any]:
    """Deregister an instance that you registered. May be repeated."""
    row = _enter(request, response, REGISTER, asked.server, [service])
    check_instance(instance)
    with deadline(MOST_SECONDS):
        left = Registry(row.client()).deregister(
            service, instance, f"left over HTTP, {_by(request)}", fence=asked.fence
        )
    return {"left": left}


def _enter(
    request: HttpRequest, response: HttpResponse, code: str, slug: str, services: list[str]
) -> Server:
    server = enter(request, response, code, slug)
    token = cast(ApiToken, request.auth)  # type: ignore[attr-defined]
    for service in services:
        check_service(service)
        _check_for(token, service)
    return server


def _by(request: HttpRequest) -> str:
    """Who did it, for the timeline: the token's name, never its text."""
    return f"token {cast(ApiToken, request.auth).name}"  # type: ignore[attr-defined]


def _check_for(token: ApiToken, service: str) -> None:
    if not _is_for(token, service):
        raise Refused(403, "The token may not do this", f"It is not for the service {service}.")


def _is_for(token: ApiToken, service: str) -> bool:
    return tokens.is_for(token, service)


def _still(request: HttpRequest, slug: str, service: str) -> waiting.Still:
    """Asks again, in a thread, whether whoever waits may still do so."""
    authorization = request.headers.get("Authorization", "")

    def ask() -> None:
        token = verify(authorization)
        refuse_stopped(server_for(token, DISCOVER, slug))
        _check_for(token, service)

    return ask


def _known(server: Server, service: str) -> tuple[str, int, Any, float]:
    """Epoch, version, instances and age: from Redis, or while it is away from a copy here."""
    try:
        with deadline(MOST_SECONDS):
            found = Registry(server.client()).read(service)
        return found.epoch, found.version, found.instances, 0.0
    except (RedisError, RedisopsError):
        kept = following.copy_of(server, service)
        if kept is None:
            raise
        copy, age = kept
        return copy.epoch, copy.version, copy.instances, max(age, 0.001)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _streamed(response: HttpResponse, body: Any, kind: str) -> StreamingHttpResponse:
    streamed = StreamingHttpResponse(body, content_type=kind)
    for name, value in response.items():
        if name != "Content-Type":
            streamed[name] = value
    streamed["Cache-Control"] = "no-cache"
    streamed["X-Accel-Buffering"] = "no"  # nginx would hold events back
    return streamed


def _held(asked: schemas.Beats) -> list[Held]:
    return [
        Held(one.service, check_instance(one.id), one.fence, one.ttl) for one in asked.instances
    ]


def _beat_every(ttls: Any) -> float:
    return round(float(min(ttls)) / BEATS, 3)


def _named(service: str, id: str) -> dict[str, str]:
    return {"service": service, "id": id}


def section() -> Section:
    """Its part of the documentation."""
    return Section(
        "Services",
        "Registers, beats, and finds the others.",
        "services/api.html",
        lambda: {
            "registering": fields_of(schemas.Registering),
            "holding": fields_of(schemas.Holding),
            "instance": fields_of(schemas.InstanceOut),
        },
    )
