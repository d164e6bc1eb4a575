"""Teams, for admins of the console."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dashboard.accounts.forms import PrefixForm, TeamForm
from dashboard.accounts.guards import admins_only
from dashboard.accounts.models import OwnedPrefix, Team, User
from dashboard.audit import record


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only("accounts.team", "manage teams")
def index(request: HttpRequest) -> HttpResponse:
    """Every team with what it owns; POST creates one."""
    form = TeamForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            team = form.save()
            record(request, "accounts.team.create", target=team.name)
        return redirect(team)
    teams = Team.objects.annotate(people=Count("members", distinct=True))
    context = {"teams": teams.prefetch_related("prefixes"), "form": form}
    return render(request, "accounts/teams.html", context, status=422 if form.errors else 200)


@require_GET
@admins_only("accounts.team", "manage teams")
def show(request: HttpRequest, pk: int) -> HttpResponse:
    return _page(request, get_object_or_404(Team, pk=pk))


@require_POST
@admins_only("accounts.team", "manage teams")
def members(request: HttpRequest, pk: int) -> HttpResponse:
    """Take somebody into the team, or out of it."""
    team = get_object_or_404(Team, pk=pk)
    person = get_object_or_404(User, pk=_number(request.POST.get("user", "")))
    joins = request.POST.get("verb") != "remove"
    with transaction.atomic():
        if joins:
            team.members.add(person)
        else:
            team.members.remove(person)
        change = {"joined" if joins else "left": person.username}
        record(request, "accounts.team.members", target=team.name, after=change)
    messages.success(request, f"{person.username} {'joined' if joins else 'left'} {team.name}.")
    return redirect(team)


@require_POST
@admins_only("accounts.team", "manage teams")
def prefixes(request: HttpRequest, pk: int) -> HttpResponse:
    """Give the team a prefix to own, or take one away."""
    team = get_object_or_404(Team, pk=pk)
    if request.POST.get("verb") == "remove":
        owned = get_object_or_404(team.prefixes, pk=_number(request.POST.get("owned", "")))
        with transaction.atomic():
            record(request, "accounts.team.prefixes", target=team.name, before=_told(owned))
            owned.delete()
        return redirect(team)
    form = PrefixForm(team, request.POST)
    if not form.is_valid():
        return _page(request, team, form)
    with transaction.atomic():
        owned = form.save()
        record(request, "accounts.team.prefixes", target=team.name, after=_told(owned))
    return redirect(team)


@require_POST
@admins_only("accounts.team", "manage teams")
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove a team; its name must be typed, its roles on servers go with it."""
    team = get_object_or_404(Team, pk=pk)
    if request.POST.get("confirm", "").strip() != team.name:
        messages.error(request, f"Type {team.name} to remove the team. Nothing was changed.")
        return redirect(team)
    with transaction.atomic():
        before = {
            "members": [person.username for person in team.members.all()],
            "prefixes": [_told(owned) for owned in team.prefixes.all()],
        }
        record(request, "accounts.team.delete", target=team.name, before=before)
        team.delete()
    messages.success(request, f"The team {team.name} is removed.")
    return redirect("accounts:teams")


def _page(request: HttpRequest, team: Team, form: PrefixForm | None = None) -> HttpResponse:
    others = User.objects.filter(is_active=True).exclude(teams=team).order_by("username")
    context = {
        "team": team,
        "members": team.members.order_by("username"),
        "others": others,
        "prefixes": team.prefixes.all(),
        "form": form or PrefixForm(team),
    }
    status = 422 if form is not None else 200
    return render(request, "accounts/team.html", context, status=status)


def _told(owned: OwnedPrefix) -> dict[str, str]:
    return {"prefix": owned.prefix, "server": owned.server or "every server"}


def _number(text: str) -> int:
    """A row's number from a form; 0, which no row has, for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
