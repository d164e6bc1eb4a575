"""What all pages of this room share: what is not there, what is never shown, names in addresses."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.text import Truncator
from redis.exceptions import ResponseError

from dashboard.audit import record
from dashboard.servers.models import Server
from dashboard.ui import answers
from redisops import keys
from redisops.errors import InvalidArgument
from redisops.streams.groups import GroupGone, StreamGone

LONGEST = 1_000
"""Bytes of a name that an address still takes."""
View = Callable[..., HttpResponse]


def told(view: View) -> View:
    """Answer with a page of its own when a stream is gone, protected or of another type."""

    @functools.wraps(view)
    def guarded(request: HttpRequest, server: Server, key: bytes, **rest: Any) -> HttpResponse:
        if server.protects(key):
            if request.method == "POST":
                record(
                    request, "streams.change", server=server.slug, target=key, result="refused",
                    reason="the console's own key",
                )  # fmt: skip
            return answers.error(
                request, 403, title="This key belongs to the console",
                sentence="Its sessions, cache and queues live below this name. "
                "It is never shown and never changed here.",
            )  # fmt: skip
        try:
            return view(request, server, key, **rest)
        except StreamGone:
            if not answers.is_htmx(request):
                return render(request, "streams/gone.html", {"key": key, "type": ""}, status=404)
            return answers.error(
                request, 404, title=f"{short(key)} is gone",
                sentence=f"There is no such stream on {server.name}: it was deleted, it expired, "
                "or it was never there. Its groups went with it.",
                next_step="Look at the streams that there are.",
            )  # fmt: skip
        except GroupGone:
            name = short(rest.get("group", b""))
            if not answers.is_htmx(request):
                context = {"key": key, "name": name}
                return render(request, "streams/groups/gone.html", context, status=404)
            return answers.error(
                request, 404, title=f"The group {name} is gone",
                sentence="It was deleted, or its stream was, since you opened this page. "
                "Nothing was changed.",
                next_step="Look at the groups that the stream has now.",
            )  # fmt: skip
        except InvalidArgument as error:
            return answers.error(
                request, 400, title="This cannot be followed", sentence=_sentence(error),
                next_step="Go back to the group and choose again.",
            )  # fmt: skip
        except ResponseError as error:
            if "WRONGTYPE" not in str(error):
                raise
            return answers.error(
                request, 409, title=f"{short(key)} is no stream", detail=str(error),
                sentence="Another type of value has this name by now. Nothing was changed.",
                next_step="Open it among the keys.",
            )  # fmt: skip

    return guarded


def short(name: bytes, most: int = 60) -> str:
    """A name for a sentence, whatever is in it."""
    text: str = Truncator(keys.printable(name[:200]) or "(empty name)").chars(most)
    return text


def url(route: str, server: Server, key: bytes, group: bytes | None = None) -> str:
    """The address of a page of this room."""
    arguments: list[Any] = [server.slug, key]
    return reverse(f"streams:{route}", args=arguments if group is None else [*arguments, group])


def named(text: str) -> bytes | None:
    """A name out of a query or a form field; None for none."""
    return keys.from_url(text) if text else None


def _sentence(error: Exception) -> str:
    words = str(error).rstrip(".")
    return f"{words[:1].upper()}{words[1:]}."
