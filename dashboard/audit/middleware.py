"""Tells the person when a change was refused because it could not be recorded."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from dashboard.audit.errors import AuditUnavailable
from dashboard.ui import answers


class FailClosedMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, AuditUnavailable):
            return None
        if error.has_happened:
            return answers.error(
                request,
                503,
                title="Done, but its outcome is not in the audit",
                sentence=f"The change was made. Its intention is entry {error.intent} of the audit;"
                " the row that tells its outcome could not be written.",
                next_step="Do not repeat it. Tell whoever runs this console: its database refuses"
                " writes.",
                icon="file-warning",
            )
        return answers.error(
            request,
            503,
            title="The change was not made",
            sentence="It could not be written to the audit, and nothing is changed unrecorded.",
            next_step="The console's database is away, locked or full. Try again in a moment;"
            " if it stays so, tell whoever runs this console.",
            icon="file-lock",
        )
