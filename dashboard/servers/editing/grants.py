"""Who has which role on a server."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from dashboard.accounts.models import User
from dashboard.accounts.roles import Role
from dashboard.audit import record
from dashboard.servers.access import on_server, role_on
from dashboard.servers.editing.forms import GrantForm
from dashboard.servers.models import Grant, Server


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("servers.grant")
def grants(request: HttpRequest, server: Server) -> HttpResponse:
    """The list, and a form to give a role to somebody new."""
    form = GrantForm(request.POST if request.method == "POST" else None, server=server)
    if request.method == "POST" and form.is_valid():
        grant = form.grant()
        with transaction.atomic():
            grant.save()
            record(
                request, "servers.grant", server=server.slug, target=grant.holder,
                after={"role": grant.role},
            )  # fmt: skip
        messages.success(
            request, f"{grant.holder} is now {grant.get_role_display().lower()} on {server.name}."
        )
        return redirect("servers:grants", slug=server.slug)
    context = {
        "form": form,
        "grants": server.grants.select_related("user", "team").order_by(
            "team__name", "user__username"
        ),
        "admins": User.objects.filter(is_superuser=True, is_active=True).order_by("username"),
        "roles": Role.choices,
    }
    return render(request, "servers/grants.html", context, status=422 if form.errors else 200)


@require_POST
@on_server("servers.grant")
def change_grant(request: HttpRequest, server: Server, pk: int) -> HttpResponse:
    """Give another role, or with an empty one take it away; not so that one shuts oneself out."""
    grant = get_object_or_404(Grant.objects.select_related("user", "team"), pk=pk, server=server)
    wanted, before = request.POST.get("role", ""), grant.role
    if wanted and wanted not in Role.values:
        messages.error(request, f'"{wanted[:40]}" is no role; nothing was changed.')
        return redirect("servers:grants", slug=server.slug)
    with transaction.atomic():
        if wanted:
            grant.role = wanted
            grant.save(update_fields=["role"])
        else:
            grant.delete()
        shut_out = role_on(request.user, server) is not Role.ADMIN
        if shut_out:
            transaction.set_rollback(True)
        else:
            record(
                request, "servers.grant" if wanted else "servers.revoke", server=server.slug,
                target=grant.holder, before={"role": before},
                after={"role": wanted} if wanted else None,
            )  # fmt: skip
    if shut_out:
        record(
            request, "servers.grant", server=server.slug, target=grant.holder, result="refused",
            before={"role": before}, reason="the person who asked would have lost the role Admin",
        )  # fmt: skip
        messages.error(
            request,
            "Nothing was changed: you would have shut yourself out.",
        )
    elif wanted:
        messages.success(
            request, f"{grant.holder} is now {Role(wanted).label.lower()} on {server.name}."
        )
    else:
        messages.success(request, f"{grant.holder} has no role on {server.name} any more.")
    return redirect("servers:grants", slug=server.slug)
