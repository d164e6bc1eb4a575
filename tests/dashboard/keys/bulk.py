"""What tests of bulk work share: hostile keys, a request of the operator, a counted list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.http import HttpRequest
from django.test import RequestFactory

from dashboard.accounts.models import User
from dashboard.jobs.models import Job
from dashboard.jobs.testing import run
from dashboard.keys.bulk import starting
from dashboard.keys.bulk.models import KeyList
from dashboard.servers.models import Server
from tests.hostile import NAMES

PREFIX = b"cart:"
HOSTILE = [PREFIX + name for name in dict.fromkeys(NAMES)]


@pytest.fixture
def asked(operator: User) -> HttpRequest:
    """A request of the operator."""
    return request_of(operator)


def request_of(user: User) -> HttpRequest:
    request = RequestFactory().post("/")
    request.user = user
    return request


@pytest.fixture
def counted(asked: HttpRequest, server: Server) -> Callable[..., KeyList]:
    """``counted(prefix=b"cart:")``: the list, counted to its end."""

    def count(**what: Any) -> KeyList:
        job = run(starting.list_keys(asked, server, **what))
        assert job.state == Job.State.DONE, job.error
        return KeyList.objects.select_related("server").get(pk=job.params["list"])

    return count


def names_of(key_list: KeyList) -> set[bytes]:
    keys = [key for part in key_list.every() for key in part]
    assert len(keys) == len(set(keys)) == key_list.total
    return set(keys)


def fill(data: redis.Redis, keys: list[bytes], *, ttl: int = 600_000) -> None:
    """Every second one expires, in ``ttl`` milliseconds."""
    pipe = data.pipeline(transaction=False)
    for n, key in enumerate(keys):
        pipe.set(key, b"value of " + key, px=ttl if n % 2 else None)
    pipe.execute()


def dumps(data: redis.Redis, keys: list[bytes]) -> dict[bytes, Any]:
    return {key: (data.dump(key), data.pexpiretime(key)) for key in keys}


def run_now(job: Job) -> Job:
    """Go on with a job that waits for its server."""
    Job.objects.filter(pk=job.pk).update(due=None)
    return run(job)
