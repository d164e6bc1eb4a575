"""What both forms of this room share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from redis.exceptions import RedisError

from dashboard.audit import record
from dashboard.servers.models import Server
from dashboard.servers.secrets import SecretUnreadable
from dashboard.streams.reading.views import closed
from redisops.errors import RedisopsError
from redisops.resilience import diagnose

TROUBLE = (RedisError, RedisopsError, SecretUnreadable)
MONO = {
    "class": "form-control mono", "autocomplete": "off", "autocapitalize": "off",
    "spellcheck": "false",
}  # fmt: skip


@dataclass(frozen=True)
class Note:
    """What stands above a form that did not do what was asked."""

    title: str
    sentence: str = ""
    detail: str = ""
    tone: str = "bad"

    @classmethod
    def of(cls, error: BaseException) -> Note:
        trouble = diagnose(error)
        return cls(
            "Nothing was changed.", f"{trouble.sentence} {trouble.next_step}", trouble.detail
        )


UNKNOWN = "It was sent, and the reply was lost: it was done once, or not at all."


def refused(request: HttpRequest, server: Server, key: bytes, action: str) -> HttpResponse:
    """The console's own keys are never written, by anybody."""
    if request.method == "POST":
        record(
            request, action, server=server.slug, target=key, result="refused",
            reason="the console's own key",
        )  # fmt: skip
    return closed(request)


def answer(
    request: HttpRequest, template: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    response = render(request, template, context, status=status)
    response["Cache-Control"] = "no-store"
    return response


class Asking(forms.Form):
    """The reason, and on production the server's name."""

    reason = forms.CharField(
        required=False, max_length=500,
        widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"}),
    )  # fmt: skip

    def __init__(self, server: Server, data: Any = None, **options: Any) -> None:
        super().__init__(data, **options)
        self.server = server
        if server.is_production:
            self.fields["confirm"] = forms.CharField(
                required=False, max_length=200, widget=forms.TextInput(attrs=MONO)
            )

    def check_asked(self) -> bool:
        """Whether what production asks for was given; marks the fields otherwise."""
        if self.server.is_production:
            if self.cleaned_data.get("confirm", "").strip() != self.server.name:
                self.add_error("confirm", f"The name is {self.server.name}; nothing was changed.")
            if not self.cleaned_data.get("reason", "").strip():
                self.add_error("reason", "Say why: this is production.")
        return not self.errors
