"""The one API object: areas mount their routers on it, errors become problems here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import Error as SqlError
from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI, Router
from ninja.errors import HttpError, ValidationError
from redis.exceptions import RedisError

from dashboard.api.problems import Refused, answer, problem
from dashboard.api.reading import Strict
from dashboard.api.tokens import Token
from dashboard.servers.load import WorkStopped
from dashboard.servers.secrets import SecretUnreadable
from redisops.errors import InvalidArgument, RedisopsError
from redisops.resilience import diagnose
from redisops.resilience.causes import is_reply

log = structlog.get_logger(__name__)

api = NinjaAPI(
    title="Redisops API",
    version="1",
    description="Rate limits and services for programs that are not in Python. What people "
    "publish and decide in the console holds here, too.",
    urls_namespace="api",
    docs_url=None,
    openapi_url=None,
    parser=Strict(),
    auth=Token(),
)


@dataclass(frozen=True)
class Section:
    """One part of the page of documentation: a template and what it is given."""

    name: str
    words: str
    template: str
    context: Callable[[], dict[str, Any]]


_sections: dict[str, Section] = {}


def mount(prefix: str, router: Router, section: Section) -> None:
    """Serve ``router`` below ``/api/<prefix>/``; called once, by an area's ``AppConfig.ready()``.

    The documentation page shows ``section``.
    """
    if prefix not in _sections:
        _sections[prefix] = section
        api.add_router(f"/{prefix}", router)


def sections() -> dict[str, Section]:
    """Every section of the documentation by prefix, in order of their names."""
    return dict(sorted(_sections.items()))


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    told = [{"at": _place(one["loc"]), "problem": str(one["msg"])} for one in error.errors[:20]]
    detail = f"{told[0]['at']}: {told[0]['problem']}." if told else ""
    is_body = not error.errors or error.errors[0]["loc"][0] == "body"
    what = "body" if is_body else "address"
    return problem(422, f"The {what} is not as it should be", detail, errors=told)


def _place(where: tuple[Any, ...]) -> str:
    """A body's place is without the name of the argument that it becomes here."""
    inner = where[2:] if where[0] == "body" else where[1:]
    return ".".join(str(part) for part in inner) or "body"


@api.exception_handler(HttpError)
def _unreadable(request: HttpRequest, error: HttpError) -> HttpResponse:
    """What ``Strict`` refused comes wrapped into this one."""
    if isinstance(error.__cause__, Refused):
        return answer(request, error.__cause__)
    return problem(error.status_code, str(error))


@api.exception_handler(InvalidArgument)
def _unusable(request: HttpRequest, error: InvalidArgument) -> HttpResponse:
    """What the library says about a value that no schema could judge."""
    return problem(422, "This cannot be done so", f"{error}."[:500])


@api.exception_handler(WorkStopped)
def _stopped(request: HttpRequest, error: WorkStopped) -> HttpResponse:
    return problem(503, "Console work is stopped on this server", f"{error}.")


@api.exception_handler(Refused)
def _refused(request: HttpRequest, error: Refused) -> HttpResponse:
    return answer(request, error)


def _unavailable(request: HttpRequest, error: Exception | type[Exception]) -> HttpResponse:
    log.warning("api.unavailable", error=type(error).__name__)
    again = {"Retry-After": "2"}
    if isinstance(error, SqlError):
        return problem(503, "The database does not answer", headers=again)
    if isinstance(error, RedisError) and is_reply(error):  # it did answer: with a refusal
        said = diagnose(error).sentence
        return problem(503, "The server cannot tell", said, headers=again)
    return problem(503, "The server does not answer", headers=again)


for _kind in (SqlError, RedisError, RedisopsError, SecretUnreadable):
    api.add_exception_handler(_kind, _unavailable)
