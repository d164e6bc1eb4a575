"""What the views of every kind of policy share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from dashboard.publishing import looking, writing
from dashboard.publishing.kinds import Kind
from dashboard.publishing.versions import Conflict, Refused, readable
from dashboard.publishing.wording import Wording
from dashboard.servers.models import Server

SHOWN = 100


class Done(Protocol):
    """What came of a change: a sentence, whether all is well, and where to look at it."""

    @property
    def words(self) -> str: ...

    @property
    def is_well(self) -> bool: ...

    @property
    def place(self) -> Any: ...


def publish(kind: Kind, request: HttpRequest, server: Server) -> HttpResponse:
    """Write the wanted document now, as beat does every few seconds; then the list."""
    state = looking.state(kind, server)
    if state.kind == "none":
        messages.info(request, "There is nothing to publish yet.")
    else:
        done = writing.publish(kind, request, server, "published by hand", above=state.above)
        tell = messages.success if done.is_well else messages.warning
        tell(request, done.sentence)
    return redirect(f"{kind.area}:index", slug=server.slug)


def act(request: HttpRequest, row: Any, act: Callable[[int], Done]) -> HttpResponse:
    """Do it, if the policy is still at the version that the button was made for."""
    try:
        done = act(seen(request, row))
    except Refused as error:
        messages.error(request, f"Nothing was changed. {error}")
    except Conflict as error:
        said = f"Nothing was changed: {error} Look at it, then decide again."
        messages.warning(request, said)
    else:
        return after(request, done)
    return redirect(row)


def seen(request: HttpRequest, row: Any) -> int:
    """The version that the button was made for; the present one where none is told."""
    told = request.POST.get("seen", "")[:9]
    return int(told) if told.isdecimal() and told.isascii() else int(row.version)


def after(request: HttpRequest, done: Done) -> HttpResponse:
    """Say what came of it, at the place where it can be looked at."""
    tell = messages.success if done.is_well else messages.warning
    tell(request, done.words)
    return redirect(done.place)


def number(text: str) -> int:
    """The version that an address or a button tells; 0 for anything else."""
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else 0


def versions(request: HttpRequest, row: Any, wording: Wording) -> dict[str, Any]:
    """For ``publishing/_versions.html``: author, time and reason of each, and what it changed.

    ``from`` and ``to`` of the address compare two; ``to`` is the present one by default.
    """
    found = list(row.versions.all()[: SHOWN + 1])
    context: dict[str, Any] = {
        "lines": [_line(found, at, wording) for at in range(len(found[:SHOWN]))],
        "more": len(found) > SHOWN, "now": row,
    }  # fmt: skip
    first = number(request.GET.get("from", ""))
    second = number(request.GET.get("to", "")) or row.version
    if first:
        older, newer = (get_object_or_404(row.versions, number=one) for one in (first, second))
        older.policy = newer.policy = row
        compared = wording.changed_first(readable(older)[0], readable(newer)[0])
        context |= {"older": older, "newer": newer, "compared": compared}
    return context


def way_back(row: Any, to: Any, held: Any, new: Any, wording: Wording) -> dict[str, Any]:
    """For ``publishing/_roll_back.html``: what version ``to`` would change.

    ``held`` is the policy that holds, None where there is none; ``new`` that of the version.
    """
    compared = wording.changed_first(held, new)
    holding = row.version if held is not None else None
    return {"now": row, "to": to, "holding": holding, "compared": compared}


def _line(found: list[Any], at: int, wording: Wording) -> dict[str, Any]:
    before = found[at + 1] if at + 1 < len(found) else None
    after = readable(found[at])[0]
    was = readable(before)[0] if before else None
    changed = wording.changed(was, after) if was and after else []
    return {"version": found[at], "changed": changed, "before": before}
