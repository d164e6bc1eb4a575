"""The pages of one edit: the form, the review, a conflict, an unknown result, a closed door."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers

from dashboard.keys.browsing.forms import BrowseForm
from dashboard.keys.browsing.state import LONGEST_IN_ADDRESS
from dashboard.servers.models import Server
from dashboard.ui import answers
from redisops import keys
from redisops.resilience import Trouble, diagnose


@dataclass(frozen=True)
class Note:
    """What stands above a form that did not do what was asked."""

    title: str
    sentence: str = ""
    detail: str = ""
    next_step: str = ""
    tone: str = "bad"

    @classmethod
    def of(cls, error: BaseException) -> Note:
        """A server's trouble before anything was written."""
        trouble: Trouble = diagnose(error)
        return cls("Nothing was changed.", trouble.sentence, trouble.detail, trouble.next_step)


class Page:
    """Where an edit of one key is shown: on a page of its own, or in the key browser's pane."""

    def __init__(self, request: HttpRequest, server: Server, key: bytes | None) -> None:
        self.request = request
        self.server = server
        self.key = key

    @property
    def name(self) -> str:
        return keys.printable(self.key or b"")

    @property
    def title(self) -> str:
        return (self.name or "(empty name)")[:120]

    @property
    def is_long(self) -> bool:
        """Whether the name fits no address: it travels in forms then."""
        return self.key is not None and len(self.key) > LONGEST_IN_ADDRESS

    @property
    def in_url(self) -> str:
        return keys.to_url(self.key or b"")

    @cached_property
    def beside(self) -> str:
        """The list that the key was opened from, as its part of the address."""
        told = {n: self.request.GET[n] for n in BrowseForm.base_fields if n in self.request.GET}
        return urlencode(told)

    def address(self, route: str, **told: Any) -> str:
        """A page of this key, with the list beside it."""
        if self.is_long and route in ("edit", "delete"):
            path = reverse("keys:long_name", args=[self.server.slug, route])
        else:
            path = reverse(f"keys:{route}", args=[self.server.slug, self.key])
        query = "&".join(filter(None, [self.beside, urlencode(told)]))
        return f"{path}?{query}" if query else path

    @property
    def back_url(self) -> str:
        """Where one goes without changing anything."""
        return self.list_url if self.is_long or self.key is None else self.address("show")

    @property
    def edit_url(self) -> str:
        return self.address("edit")

    @property
    def delete_url(self) -> str:
        return self.address("delete")

    @property
    def upload_url(self) -> str:
        return self.address("edit", do="upload")

    @property
    def download_url(self) -> str:
        return self.address("download")

    @property
    def create_path(self) -> str:
        return reverse("keys:create", args=[self.server.slug])

    @property
    def same_url(self) -> str:
        """Where the request at hand went: the check goes there, too."""
        return self.request.get_full_path()

    @property
    def list_url(self) -> str:
        path = reverse("keys:index", args=[self.server.slug])
        return f"{path}?{self.beside}" if self.beside else path

    def create_url(self, kind: str) -> str:
        told = {"kind": kind, "prefix": self.request.GET.get("prefix", "")[:8192]}
        path = reverse("keys:create", args=[self.server.slug])
        return f"{path}?{urlencode({n: v for n, v in told.items() if v})}"

    # --- Answers ---------------------------------------------------------------------------

    def answer(self, part: str, *, status: int = 200, **context: Any) -> HttpResponse:
        """The part on a page of its own, or alone when htmx puts it into the pane."""
        in_pane = answers.is_htmx(self.request) and self.request.headers.get("HX-Target") == "value"
        template = "keys/editing/_swap.html" if in_pane else "keys/editing/page.html"
        context |= {"page": self, "part": f"keys/editing/{part}.html"}
        # For a part of a page it is an answer like others, not a request that went wrong.
        status = 422 if in_pane and 400 <= status < 500 else status
        response = render(self.request, template, context, status=status)
        patch_vary_headers(response, ["HX-Request", "HX-Target"])
        response["Cache-Control"] = "no-store"
        return response

    def closed(self, sentence: str, *, status: int, title: str = "") -> HttpResponse:
        return self.answer(
            "_closed", status=status, sentence=sentence, title=title or "This cannot be changed"
        )

    def go(self, url: str) -> HttpResponse:
        """On to another page; the whole of it, because the list beside may be another, too."""
        if answers.is_htmx(self.request):
            response = HttpResponse(status=204)
            response["HX-Redirect"] = url
            return response
        return redirect(url)

    def posted(self, *without: str) -> list[tuple[str, str]]:
        """Every field that was posted, to be carried on by another form."""
        left_out = {"csrfmiddlewaretoken", "step", *without}
        data = self.request.POST
        return [(n, value) for n in data if n not in left_out for value in data.getlist(n)]
