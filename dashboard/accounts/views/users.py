"""People, for admins of the console."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dashboard.accounts import passwords, signed_in
from dashboard.accounts.forms import UserForm
from dashboard.accounts.guards import admins_only
from dashboard.accounts.models import User
from dashboard.accounts.views import tokens
from dashboard.audit import record


@require_GET
@admins_only("accounts.view", "see who uses this console")
def index(request: HttpRequest) -> HttpResponse:
    """Everybody, the ones who can sign in first."""
    live = Q(sessions__revoked_at=None, sessions__expire_date__gt=timezone.now())
    people = User.objects.annotate(live=Count("sessions", filter=live)).prefetch_related("teams")
    listed = list(people.order_by("-is_active", "username"))
    context = {
        "people": listed,
        "active": sum(one.is_active for one in listed),
        "admins": sum(one.is_active and one.is_superuser for one in listed),
        "signed_in": sum(one.live > 0 for one in listed),
    }
    return render(request, "accounts/users.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@admins_only("accounts.create", "add people")
def create(request: HttpRequest) -> HttpResponse:
    """Add somebody; the password is shown on the answer, and nowhere again."""
    form = UserForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        password = passwords.generated()
        with transaction.atomic():
            user = form.save(commit=False)
            user.set_password(password)
            user.must_change_password = True
            user.save()
            after = {"username": user.username, "admin": user.is_superuser}
            record(request, "accounts.create", target=user.username, after=after)
        return _password_once(request, user, password)
    return render(request, "accounts/add.html", {"form": form}, status=422 if form.errors else 200)


@require_GET
@never_cache
@admins_only("accounts.view", "see who uses this console")
def show(request: HttpRequest, pk: int) -> HttpResponse:
    """One person: rights, teams, and where they are signed in."""
    person = get_object_or_404(User, pk=pk)
    current = request.session.session_key if person.pk == request.user.pk else None
    context = {
        "person": person,
        "sessions": signed_in.rows(person, current=current),
        "tokens": [row for row in tokens.listed(person) if row.is_valid],
        "is_last_admin": _is_last_admin(person),
    }
    return render(request, "accounts/user.html", context)


@require_POST
@admins_only("accounts.disable", "disable people")
def state(request: HttpRequest, pk: int) -> HttpResponse:
    """Let somebody in or keep them out; keeping out ends their sessions at once."""
    wanted = request.POST.get("state") == "active"
    with transaction.atomic():
        person = _locked(pk)
        if not wanted and (refused := _refusal(request, person, "disable")):
            return refused
        before = {"active": person.is_active}
        record(
            request, "accounts.disable" if not wanted else "accounts.enable",
            target=person.username, before=before, after={"active": wanted},
        )  # fmt: skip
        person.is_active = wanted
        person.save(update_fields=["is_active"])
    can = "can sign in again" if wanted else "is disabled and signed out everywhere"
    messages.success(request, f"{person.username} {can}.")
    return redirect(person)


@require_POST
@admins_only("accounts.admin", "make somebody an admin of the console")
def admin(request: HttpRequest, pk: int) -> HttpResponse:
    """Make somebody an admin of everything, or no longer."""
    wanted = request.POST.get("admin") == "yes"
    with transaction.atomic():
        person = _locked(pk)
        if not wanted and (refused := _refusal(request, person, "take the admin right from")):
            return refused
        record(
            request, "accounts.admin", target=person.username,
            before={"admin": person.is_superuser}, after={"admin": wanted},
        )  # fmt: skip
        person.is_superuser = person.is_staff = wanted
        person.save(update_fields=["is_superuser", "is_staff"])
    now = "is an admin of every server" if wanted else "is no longer an admin"
    messages.success(request, f"{person.username} {now}.")
    return redirect(person)


@require_POST
@never_cache
@admins_only("accounts.password", "give somebody a new password")
def password(request: HttpRequest, pk: int) -> HttpResponse:
    """A new one-time password; the old one and every session end."""
    new = passwords.generated()
    with transaction.atomic():
        person = get_object_or_404(User.objects.select_for_update(), pk=pk)
        if person.pk == request.user.pk:
            return redirect("accounts:password")
        record(request, "accounts.password", target=person.username, after={"one_time": True})
        person.set_password(new)
        person.must_change_password = True
        person.save()
    return _password_once(request, person, new)


@require_POST
@admins_only("accounts.revoke", "sign people out")
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """End one session of somebody, or all of them."""
    person = get_object_or_404(User, pk=pk)
    keep = request.session.session_key if person.pk == request.user.pk else None
    which = request.POST.get("session", "")
    ended = signed_in.end(request, person, signed_in.OTHERS if keep and which == "all" else which,
                          keep=keep)  # fmt: skip
    word = "session is" if ended == 1 else "sessions are"
    messages.success(request, f"{ended} {word} ended.")
    return redirect(person)


def _password_once(request: HttpRequest, person: User, password: str) -> HttpResponse:
    context = {"person": person, "password": password, "console": request.build_absolute_uri("/")}
    return render(request, "accounts/password_once.html", context)


def _locked(pk: int) -> User:
    """The person to change, locked together with every admin.

    Two admins who take the right from each other at the same moment would both find one left.
    """
    rows = User.objects.select_for_update().filter(Q(pk=pk) | Q(is_superuser=True))
    person = next((row for row in rows.order_by("pk") if row.pk == pk), None)
    if person is None:
        raise Http404(f"no user {pk}")
    return person


def _is_last_admin(person: User) -> bool:
    others = User.objects.filter(is_superuser=True, is_active=True).exclude(pk=person.pk)
    return person.is_superuser and person.is_active and not others.exists()


def _refusal(request: HttpRequest, person: User, what: str) -> HttpResponse | None:
    """The answer when this would leave the console without a person who can undo it."""
    if person.pk == request.user.pk:
        messages.error(request, f"You cannot {what} yourself. Ask another admin.")
    elif _is_last_admin(person):
        messages.error(request, f"{person.username} is the last admin: make another one first.")
    else:
        return None
    return redirect(person)
