"""Pages about people: admins of the console only."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from dashboard.audit import record
from dashboard.ui.errors import Forbidden

View = Callable[..., HttpResponse]


def admins_only(action: str, right: str) -> Callable[[View], View]:
    """403 with the right named for everybody else; a refused change goes to the audit."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not (request.user.is_authenticated and request.user.is_superuser):
                if request.method not in ("GET", "HEAD"):
                    target = "/".join(str(value) for value in kwargs.values())
                    record(request, action, target=target, result="refused", reason=right)
                raise Forbidden(right, "Admin of the console")
            return view(request, *args, **kwargs)

        guarded.permission = action  # type: ignore[attr-defined]
        return guarded

    return decorate
