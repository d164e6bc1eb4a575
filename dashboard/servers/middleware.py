"""Errors of Redis and of the database become a page that says what is so and what to do."""

from __future__ import annotations

import structlog
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from redis.exceptions import RedisError

from dashboard.servers.load import WorkStopped
from dashboard.servers.secrets import SecretUnreadable
from dashboard.servers.trouble import pages
from redisops.errors import InvalidArgument, RedisopsError

log = structlog.get_logger(__name__)

# InvalidArgument is a bug of the calling code or bad input that a form should have caught.
REDIS = (RedisError, RedisopsError, SecretUnreadable)
SQL = (OperationalError, InterfaceError)


class RedisTroubleMiddleware:
    """Turns what a view could not get from Redis or SQL into the page for it; bugs pass."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response):  # type: ignore[no-untyped-def]
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest):  # type: ignore[no-untyped-def]
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return answer(request, error)


def answer(request: HttpRequest, error: BaseException) -> HttpResponse | None:
    """The page for this error, or None if it is none of ours."""
    if isinstance(error, InvalidArgument):
        return None
    if isinstance(error, WorkStopped):
        return pages.stopped(request, error)
    if isinstance(error, REDIS):
        return pages.redis_trouble(request, error)
    # Exactly DatabaseError: a damaged file. Its subclasses are broken rules, which are bugs.
    if isinstance(error, SQL) or type(error) is DatabaseError:
        return pages.sql_trouble(request, error)
    return None
