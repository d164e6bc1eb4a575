"""Begin a search: a list for its matches, and the job that fills it."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest

from dashboard.jobs import starting
from dashboard.jobs.models import Job
from dashboard.keys.bulk.models import KeyList
from dashboard.keys.bulk.starting import list_of
from dashboard.keys.searching.scope import Scope
from dashboard.servers.models import Server
from redisops.searching import Query


def begin(request: HttpRequest, server: Server, scope: Scope, query: Query, how: str) -> Job:
    """Start it; ``job.params["list"]`` is the pk of the KeyList. Raises ``jobs.Busy``.

    The record keeps where was searched and in which form, never the text that was looked for.
    """
    with transaction.atomic():
        label = f"matches in {scope.label}"[:2000]
        key_list = list_of(server, request.user.pk, KeyList.Source.SEARCH, label)
        params = {
            "list": key_list.pk, "query": query.text, "form": query.masked, "how": how,
            "scope": scope.params, "label": scope.label[:300],
        }  # fmt: skip
        job = starting.start(request, server, "keys.search", params, scope=scope.start)
        KeyList.objects.filter(pk=key_list.pk).update(job_id=job.pk)
    return job
