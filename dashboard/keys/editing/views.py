"""Changing single keys: create, edit, delete. Every page works as a form, with htmx in the pane.

GET shows a form; POST carries a ``step``: ``review`` compares, ``save`` writes, ``check`` looks
what became of a write whose reply was lost, ``form`` shows the form of what no address can name.
"""

from __future__ import annotations

import functools
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods, require_POST

from dashboard.keys.browsing.room import roomy
from dashboard.keys.editing.changing import Changing
from dashboard.keys.editing.creating import Creating
from dashboard.keys.editing.deleting import Deleting
from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from dashboard.ui import answers
from redisops import keys
from redisops.errors import InvalidArgument


def _read_address(view: Any) -> Any:
    """Answer 400 with the reason when the address or a hidden field breaks a rule."""

    @functools.wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response: HttpResponse = view(request, *args, **kwargs)
        except InvalidArgument as error:
            return answers.error(
                request, 400, title="This cannot be followed", sentence=f"{error}",
                next_step="Go back to the key and choose what to change again.",
            )  # fmt: skip
        return response

    return checked


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("keys.change")
@roomy
@_read_address
def create(request: HttpRequest, server: Server) -> HttpResponse:
    """A new key, of the type that ``kind`` says."""
    return Creating(request, server).answer()


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("keys.change")
@roomy
@_read_address
def edit(request: HttpRequest, server: Server, key: bytes) -> HttpResponse:
    """One edit of a key: ``do`` says which."""
    return Changing(request, server, key).answer()


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("keys.change")
@roomy
@_read_address
def delete(request: HttpRequest, server: Server, key: bytes) -> HttpResponse:
    """Delete a key, so that it can come back."""
    return Deleting(request, server, key).answer()


@require_POST
@on_server("keys.change")
@roomy
@_read_address
def long_name(request: HttpRequest, server: Server, do: str) -> HttpResponse:
    """``edit`` or ``delete`` of a key whose name fits no address: it is in the field ``key``."""
    key = keys.from_url(request.POST.get("key", ""))
    if do == "edit":
        return Changing(request, server, key).answer()
    if do == "delete":
        return Deleting(request, server, key).answer()
    raise Http404("no such page")
