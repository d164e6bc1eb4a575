"""What the API is: the OpenAPI document for programs, a page of the console for people."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET
from ninja import Schema

from dashboard.api.endpoint import api, sections


@require_GET
@login_not_required
def openapi(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document. It holds nothing of this console's, so anybody may read it."""
    prefix = reverse("api:openapi").removesuffix("openapi.json")
    return JsonResponse(api.get_openapi_schema(path_prefix=prefix))


@require_GET
def docs(request: HttpRequest) -> HttpResponse:
    """How to ask: examples to copy, fields, statuses; ``?about=`` names the section."""
    known = sections()
    about = request.GET.get("about", "")
    about = about if about in known else next(iter(known))
    context = {
        "console": f"{request.scheme}://{request.get_host()}",
        "sections": known,
        "about": about,
        "section": known[about],
        **known[about].context(),
    }
    return render(request, "api/docs.html", context)


def fields_of(schema: type[Schema]) -> list[tuple[str, str, bool]]:
    """(name, what it is, whether it must be there)."""
    return [
        (name, field.description or "", field.is_required())
        for name, field in schema.model_fields.items()
    ]
