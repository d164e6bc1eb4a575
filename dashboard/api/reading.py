"""The body of a request, bounded before it is read and checked before it is believed."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any, NoReturn

from django.http import HttpRequest, HttpResponse
from ninja.parser import Parser

from dashboard.api.problems import Refused, answer

MOST_BYTES = 256 * 1024


def bounded(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """413 for a larger body, announced or not, before anything else looks at it."""

    @functools.wraps(view)
    def reading(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        announced = request.META.get("CONTENT_LENGTH") or "0"
        is_short = announced.isdecimal() and len(announced) < 10 and int(announced) <= MOST_BYTES
        data = request.read(MOST_BYTES + 1) if is_short else b""
        if not is_short or len(data) > MOST_BYTES:
            detail = f"At most {MOST_BYTES // 1024} KiB are read."
            return answer(request, Refused(413, "The body is too large", detail))
        # What ``request.body`` gives from now on; left to itself it would read without a bound
        # what was sent without a length.
        request._body = data
        return view(request, *args, **kwargs)

    return reading


class Strict(Parser):
    """JSON of numbers that JSON has."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        """An object, or ``Refused`` 422 for what is not one."""
        try:
            body = json.loads(request.body, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise Refused(422, "The body is not JSON", f"{why}."[:300]) from None
        if not isinstance(body, dict):
            raise Refused(422, "The body is not a JSON object")
        return body


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")
