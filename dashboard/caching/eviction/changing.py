"""Changing limit and policy: the form, what is asked before, and the one way to do it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpRequest

from dashboard.audit import recording
from dashboard.caching.eviction import settings
from dashboard.caching.eviction.models import EvictionChange
from dashboard.caching.eviction.settings import LIMIT, POLICY
from dashboard.servers.models import Server
from dashboard.ui import numbers
from redisops.config import Config
from redisops.errors import UnknownResult
from redisops.eviction import POLICIES

ACTION, BACK = "caching.eviction", "caching.eviction_back"
MONO = {
    "class": "form-control mono", "autocomplete": "off", "autocapitalize": "off",
    "spellcheck": "false",
}  # fmt: skip
PLAIN = {"class": "form-control", "autocomplete": "off"}
HOME_STAYS = (
    "The console keeps its sessions and jobs here, and must not lose them: its own Redis stays "
    "on noeviction."
)


class Changed(Exception):
    """Somebody else changed the settings since the page was shown; nothing was sent."""


@dataclass(frozen=True)
class Done:
    """What became of it. ``kept`` is CONFIG REWRITE's answer, "" when it was not asked."""

    row: EvictionChange
    kept: str


class WantedForm(forms.Form):
    """What the settings are to be; "" leaves a setting as it is."""

    policy = forms.ChoiceField(
        choices=[(name, name) for name in POLICIES],
        widget=forms.Select({"class": "form-select"}),
    )
    limit = forms.CharField(required=False, max_length=40, widget=forms.TextInput(MONO))

    def __init__(
        self, server: Server, present: dict[str, str], data: Any = None, **options: Any
    ) -> None:
        super().__init__(data, **options)
        self.server = server
        self.present = present
        if server.is_home:
            self.fields["policy"].widget.choices = [("noeviction", "noeviction")]

    def clean_policy(self) -> str:
        policy: str = self.cleaned_data["policy"]
        if self.server.is_home and POLICIES[policy].evicts:
            raise forms.ValidationError(HOME_STAYS)
        return policy

    def clean_limit(self) -> str:
        text: str = self.cleaned_data["limit"]
        if not text.strip():
            return ""
        try:
            limit = settings.read_size(text)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None
        if 0 < limit < settings.SMALLEST and f"{limit}" != self.present.get(LIMIT):
            least = numbers.size(settings.SMALLEST)
            raise forms.ValidationError(f"A server needs more than {least} for itself.")
        return f"{limit}"

    @property
    def wanted(self) -> dict[str, str]:
        """The settings, as CONFIG spells them."""
        told = {POLICY: self.cleaned_data["policy"], LIMIT: self.cleaned_data["limit"]}
        return {name: value for name, value in told.items() if value}


class SureForm(WantedForm):
    """The same with what a change asks: the server's name, on production why, what was seen."""

    seen_policy = forms.CharField(required=False, max_length=60)
    seen_limit = forms.CharField(required=False, max_length=40)
    write = forms.BooleanField(required=False)
    reason = forms.CharField(required=False, max_length=500, widget=forms.TextInput(PLAIN))
    confirm = forms.CharField(required=False, max_length=200, widget=forms.TextInput(MONO))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("confirm", "").strip() != self.server.name:
            self.add_error("confirm", f"The name is {self.server.name}; nothing was changed.")
        if self.server.is_production and not data.get("reason", "").strip():
            self.add_error("reason", "Say why: this is production.")
        return data

    @property
    def seen(self) -> dict[str, str]:
        """What the page said was so."""
        told = {POLICY: self.cleaned_data["seen_policy"], LIMIT: self.cleaned_data["seen_limit"]}
        return {name: value for name, value in told.items() if value}


def change(
    request: HttpRequest, server: Server, present: dict[str, str], form: SureForm,
    takes_back: EvictionChange | None,
) -> Done:  # fmt: skip
    """Set what differs on every primary, and write it into the file if that was ticked.

    Raises Changed when ``present`` is not what the page showed; UnknownResult (which is kept as
    such), and whatever Redis says.
    """
    if form.seen != present:
        raise Changed
    wanted = {name: value for name, value in form.wanted.items() if present.get(name) != value}
    reason = form.cleaned_data["reason"].strip()
    after = {**present, **form.wanted}
    if takes_back and not takes_back.before.items() <= after.items():
        takes_back = None  # the form was changed: it goes elsewhere
    before = {name: present.get(name, "") for name in wanted}
    row = EvictionChange(
        server=server, by=request.user.get_username(), reason=reason, before=before, after=wanted,
        takes_back=takes_back,
    )  # fmt: skip
    config = Config(server.client())
    try:
        with recording(
            request, BACK if takes_back else ACTION, server=server.slug,
            target=settings.from_to(before, wanted) if takes_back else ", ".join(wanted),
            before=before, reason=reason,
        ) as entry:  # fmt: skip
            config.change(wanted)
            entry.after = wanted
    except UnknownResult:
        row.result = EvictionChange.Result.UNKNOWN
        row.save()
        raise
    row.save()
    return Done(row, write(request, server, row) if form.cleaned_data["write"] else "")


def write(request: HttpRequest, server: Server, row: EvictionChange | None) -> str:
    """CONFIG REWRITE, audited, and remembered with the change; what it answered."""
    with recording(
        request, "caching.rewrite", server=server.slug, target="configuration file"
    ) as entry:  # fmt: skip
        told = Config(server.client()).rewrite()
        entry.after = {"rewrite": told}
        if told != "written":
            entry.result = "failed"
            entry.reason = told
    if row is not None:
        row.kept = told
        row.save(update_fields=["kept"])
    return str(told)
