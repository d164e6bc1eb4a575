"""Adding, changing, checking and forgetting servers."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dashboard.audit import record
from dashboard.servers import home, listing
from dashboard.servers.access import may, on_console, on_server, refuse, server_for, servers_for
from dashboard.servers.editing import check
from dashboard.servers.editing.forms import MarkForm, ServerForm
from dashboard.servers.models import Server
from redisops.connection import redacted

SECRET_FIELDS = ("password", "sentinel_password", "tls_key", "session_keys", "url")


@require_GET
def index(request: HttpRequest) -> HttpResponse:
    """Every server that one may see, worst state first, with one's role on each."""
    if request.user.is_authenticated and request.user.is_superuser:
        home.ensure()
    rows = listing.rows(list(servers_for(request.user)))
    context = {"rows": rows, "may_add": may(request.user, "servers.create", None)}
    return render(request, "servers/index.html", context)


@sensitive_post_parameters(*SECRET_FIELDS)
@require_http_methods(["GET", "HEAD", "POST"])
@on_console("servers.create")
def create(request: HttpRequest) -> HttpResponse:
    """Add a server; nothing is sent to it."""
    form = ServerForm(_posted(request), actor=request.user, initial={"tls_verify": True})
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            server = form.save()
            record(
                request, "servers.create", server=server.slug, target=server.name,
                after=server.snapshot(),
            )  # fmt: skip
        messages.success(request, f"{server.name} is added.")
        return redirect(server)
    return _edit(request, form, None)


@sensitive_post_parameters(*SECRET_FIELDS)
@require_http_methods(["GET", "HEAD", "POST"])
@on_server("servers.change")
def update(request: HttpRequest, server: Server) -> HttpResponse:
    """Change how a server is reached and marked; a declared one keeps its declared address."""
    before = server.snapshot()
    # A form writes into its row as soon as it is checked; the frame keeps the one that is true.
    edited = Server.objects.get(pk=server.pk)
    form: Any
    if server.is_editable:
        form = ServerForm(_posted(request), instance=edited, actor=request.user)
    else:
        form = MarkForm(_posted(request), instance=edited)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            form.save()
            record(
                request, "servers.update", server=server.slug, target=server.name,
                before=before, after=edited.snapshot(),
            )  # fmt: skip
        messages.success(request, f"{edited.name} is changed.")
        return redirect(server)
    return _edit(request, form, server)


def _posted(request: HttpRequest) -> Any:
    return request.POST if request.method == "POST" else None


def _edit(request: HttpRequest, form: Any, server: Server | None) -> HttpResponse:
    stored = {name: server is not None and server.has_secret(name) for name in Server.SECRETS}
    context = {"form": form, "editing": server, "stored": stored}
    if server is not None:
        context["may_delete"] = may(request.user, "servers.delete", server) and server.is_editable
    return render(request, "servers/edit.html", context, status=422 if form.errors else 200)


@sensitive_post_parameters(*SECRET_FIELDS)
@require_POST
def try_out(request: HttpRequest) -> HttpResponse:
    """Test what a form says before it is kept: the same fields, and the slug of the row changed."""
    slug = request.POST.get("slug", "")
    server = server_for(request.user, slug) if slug else None
    if slug and server is None:
        raise Http404(f"no server {slug}")
    request.server = server  # type: ignore[attr-defined]
    needed = "servers.change" if slug else "servers.create"
    if not may(request.user, needed, server):
        refuse(request, needed)
    if server is not None and not server.is_editable:
        return _result(request, check.run(server))
    form = ServerForm(request.POST, instance=server, actor=request.user)
    form.fields["name"].required = False  # what is only tried needs no name yet
    if not form.is_valid():
        return _result(request, None, form=form)
    record(
        request, "servers.check", server=slug or None,
        target=redacted(form.instance.url), reason="a connection was tried",
    )  # fmt: skip
    return _result(request, check.run(form.instance))


def _result(request: HttpRequest, done: check.Check | None, form: Any = None) -> HttpResponse:
    template = "servers/_check.html" if request.headers.get("HX-Request") else "servers/check.html"
    status = 422 if form is not None else 200
    return render(request, template, {"check": done, "form": form}, status=status)


@require_GET
@on_server("servers.change")
def rights(request: HttpRequest, server: Server) -> HttpResponse:
    """What the console's user may do on this server, page by page, and what the server can do."""
    from dashboard.servers.editing import rights as asked

    client = server.client()
    features = client.features()
    context = {"report": asked.check(client), "features": features, "gaps": listing.gaps(features)}
    return render(request, "servers/rights.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("servers.delete")
def delete(request: HttpRequest, server: Server) -> HttpResponse:
    """Forget a server once its name is typed. Nothing is sent to it."""
    if not server.is_editable and server.withdrawn is None:
        reason = "home" if server.is_home else "declared"
        return render(
            request,
            "servers/delete.html",
            {"kept": reason},
            status=409 if request.method == "POST" else 200,
        )
    wrong = ""
    if request.method == "POST":
        if request.POST.get("confirm", "").strip() == server.name:
            with transaction.atomic():
                record(
                    request, "servers.delete", server=server.slug, target=server.name,
                    before=server.snapshot(), reason=request.POST.get("reason", "")[:500],
                )  # fmt: skip
                server.delete()
            messages.success(request, f"{server.name} is forgotten. Its keys are as they were.")
            return redirect("servers:index")
        wrong = f"The name is {server.name}; nothing was removed."
    context = {"wrong": wrong, "grants": server.grants.count()}
    return render(request, "servers/delete.html", context, status=422 if wrong else 200)
