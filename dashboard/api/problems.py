"""Why there is no answer: every error of the API as problem+json (RFC 9457)."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Schema

JSON = "application/problem+json"


class Refused(Exception):
    """Ends a request with this problem."""

    def __init__(self, status: int, title: str, detail: str = "", **headers: str) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.detail = detail
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def answer(request: HttpRequest, error: Refused) -> HttpResponse:
    """The problem as a response."""
    return problem(error.status, error.title, error.detail, error.headers)


def problem(
    status: int,
    title: str,
    detail: str = "",
    headers: dict[str, str] | None = None,
    **more: Any,
) -> HttpResponse:
    """A problem as a response."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    told = {name: value for name, value in body.items() if value != ""}
    return HttpResponse(json.dumps(told), status=status, content_type=JSON, headers=headers or {})


class Problem(Schema):
    """Why there is no answer (RFC 9457, application/problem+json)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    errors: list[dict[str, str]] | None = None


def documented(statuses: dict[int, str]) -> dict[str, Any]:
    """What ``openapi_extra`` of an operation says about these statuses and what each means."""
    schema = Problem.model_json_schema()
    return {
        "responses": {
            code: {"description": words, "content": {JSON: {"schema": schema}}}
            for code, words in statuses.items()
        }
    }
