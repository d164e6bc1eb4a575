"""What is to become of a counted list: what each action asks, and the words that confirm it."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from dashboard.keys.browsing.forms import BytesField
from dashboard.keys.bulk.forms import CHOICE, MONO, PLAIN, TICK

if TYPE_CHECKING:
    from dashboard.keys.bulk.dry_run import DryRun
    from dashboard.servers.models import Server

UNITS = (("1", "seconds"), ("60", "minutes"), ("3600", "hours"), ("86400", "days"))
CONFLICTS = (
    ("skip", "Leave that key alone"),
    ("replace", "Replace it, and keep the old value for undo"),
)
SOONEST = datetime.timedelta(seconds=5)


class ActForm(forms.Form):
    """What every action asks: how fast, why, and the words that name what will be changed.

    ``told`` is the sentence of what happens; ``expected`` the text to type. Where something may
    be lost on production it asks twice: ``place`` is the server's name.
    """

    template = "keys/bulk/_options_none.html"

    limit = forms.IntegerField(
        required=False, min_value=1, max_value=1_000_000, widget=forms.NumberInput(PLAIN)
    )
    reason = forms.CharField(required=False, max_length=500, widget=forms.TextInput(PLAIN))
    confirm = forms.CharField(required=False, max_length=2_000, widget=forms.TextInput(MONO))

    def __init__(self, run: DryRun, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.run = run
        if run.asks_twice:
            self.fields["place"] = forms.CharField(
                required=False, max_length=200, widget=forms.TextInput(MONO)
            )
        if self.is_bound:
            self.full_clean()
            for name in self.errors:
                if name in self.fields:
                    self.fields[name].widget.attrs["aria-invalid"] = "true"

    @property
    def reason_is_optional(self) -> bool:
        return not self.run.server.is_production

    @property
    def expected(self) -> str:
        """What must be typed: the server's name where that is what one may mistake."""
        return self.run.expected

    @property
    def confirm_label(self) -> str:
        return f"Type {self.expected} to {self.run.action.verb} {self.run.keys_words}"

    @property
    def arguments(self) -> dict[str, Any]:
        """What the engine is told beside the list."""
        data = self.cleaned_data
        return {"why": data["reason"].strip(), "limit": data["limit"]}

    def clean_reason(self) -> str:
        reason: str = self.cleaned_data["reason"].strip()
        if not reason and not self.reason_is_optional:
            raise ValidationError("Production asks why. It is kept in the audit.")
        return reason

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if (data.get("confirm") or "").strip() != self.expected.strip():
            self.add_error("confirm", f"Type {self.expected} here, exactly so.")
        name = self.run.server.name
        if "place" in self.fields and (data.get("place") or "").strip() != name:
            self.add_error("place", f"This is production. Type {name} here, exactly so.")
        return data


class DeleteForm(ActForm):
    """``unkept``: what is too big for the recycle bin is deleted all the same."""

    keep = forms.BooleanField(required=False, initial=True, widget=forms.CheckboxInput(TICK))
    unkept = forms.BooleanField(required=False, widget=forms.CheckboxInput(TICK))

    def __init__(self, run: DryRun, *args: Any, **options: Any) -> None:
        super().__init__(run, *args, **options)
        if run.cannot_keep:
            del self.fields["keep"]
        if run.cannot_keep or not run.too_big:
            del self.fields["unkept"]

    @property
    def arguments(self) -> dict[str, Any]:
        return {**super().arguments, **self._keeping}

    @property
    def _keeping(self) -> dict[str, bool]:
        data = self.cleaned_data
        return {"undo": bool(data.get("keep")), "too_big": bool(data.get("unkept"))}


class ExpireForm(ActForm):
    """After a while from now, or at a point in time; spread by up to a jitter."""

    template = "keys/bulk/_options_expire.html"

    after = forms.IntegerField(
        required=False, min_value=1, max_value=10**10, widget=forms.NumberInput(PLAIN)
    )
    unit = forms.ChoiceField(
        required=False, choices=UNITS, initial="3600", widget=forms.Select(CHOICE)
    )
    at = forms.DateTimeField(
        required=False, widget=forms.DateTimeInput({**PLAIN, "type": "datetime-local", "step": "1"})
    )
    jitter = forms.IntegerField(
        required=False, min_value=0, max_value=10**9, widget=forms.NumberInput(PLAIN)
    )
    jitter_unit = forms.ChoiceField(
        required=False, choices=UNITS, initial="60", widget=forms.Select(CHOICE)
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        after, at = data.get("after"), data.get("at")
        if not self.errors.keys() & {"after", "at"} and (after is None) == (at is None):
            self.add_error("after", "Say either after how long or at what time, not both.")
        now = timezone.now()
        if at is not None and at < now + SOONEST:
            self.add_error("at", "This time is not in the future. Times are UTC.")
        if after is not None:
            seconds = after * int(data.get("unit") or 1)
            if seconds < SOONEST.total_seconds():
                self.add_error("after", f"{SOONEST.seconds} seconds at least.")
            at = self._from_now(now, seconds)
        data["when"] = at
        data["spread"] = (data.get("jitter") or 0) * int(data.get("jitter_unit") or 1)
        return data

    def _from_now(self, now: datetime.datetime, seconds: int) -> datetime.datetime:
        try:
            return now + datetime.timedelta(seconds=seconds)
        except OverflowError:
            self.add_error("after", "This is later than a date can say.")
            return now

    @property
    def arguments(self) -> dict[str, Any]:
        data = self.cleaned_data
        return {**super().arguments, "at": data["when"], "jitter": float(data["spread"])}


class RenameForm(ActForm):
    template = "keys/bulk/_options_rename.html"

    old = BytesField(widget=forms.TextInput(MONO))
    new = BytesField(widget=forms.TextInput(MONO))
    conflict = forms.ChoiceField(
        required=False, choices=CONFLICTS, initial="skip", widget=forms.Select(CHOICE)
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        if data.get("new") is None and "new" not in self.errors:
            self.add_error("new", "Say what the names are to begin with.")
        elif data.get("old") == data.get("new"):
            self.add_error("new", "This is the prefix that they have.")
        return data

    @property
    def arguments(self) -> dict[str, Any]:
        data = self.cleaned_data
        told = {"old": data["old"] or b"", "new": data["new"] or b""}
        return {**super().arguments, **told, "conflict": data["conflict"] or "skip"}


class CopyForm(ActForm):
    """Where to: a server that this person may write, or another database or prefix of this one."""

    template = "keys/bulk/_options_copy.html"

    target = forms.ChoiceField(choices=[], widget=forms.Select(CHOICE))
    db = forms.IntegerField(
        required=False, min_value=0, max_value=32_767, widget=forms.NumberInput(PLAIN)
    )
    old = BytesField(widget=forms.TextInput(MONO))
    new = BytesField(widget=forms.TextInput(MONO))
    conflict = RenameForm.base_fields["conflict"]

    def __init__(self, run: DryRun, *args: Any, **options: Any) -> None:
        self.targets = {server.slug: server for server in run.targets}
        super().__init__(run, *args, **options)
        if run.no_database:
            del self.fields["db"]

    def full_clean(self) -> None:
        names = [(slug, self._called(server)) for slug, server in self.targets.items()]
        self.fields["target"].choices = [("", "Choose a server"), *names]  # type: ignore[attr-defined]
        super().full_clean()

    def _called(self, server: Server) -> str:
        if server.pk == self.run.server.pk:
            return f"{server.name} itself"
        place = f", database {server.db}" if server.db else ""
        mark = " (production)" if server.is_production else ""
        return f"{server.name}{place}{mark}"

    @property
    def target_server(self) -> Server | None:
        return self.targets.get(self.data.get("target", "")) if self.is_bound else None

    @property
    def expected(self) -> str:
        target = self.target_server
        return target.name if target else "that server's name"

    @property
    def confirm_label(self) -> str:
        return f"Type the name of the server that gets the {self.run.keys_words}"

    @property
    def reason_is_optional(self) -> bool:
        target = self.target_server
        return not (target and target.is_production) and super().reason_is_optional

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        if data.get("new") is None:
            data["old"] = None  # the old prefix stands there already; the names stay as they are
        elif data.get("old") is None:
            self.add_error("old", "Say which begin of the names is to become the new one.")
        return data

    @property
    def arguments(self) -> dict[str, Any]:
        data = self.cleaned_data
        told = {"old": data["old"] or b"", "new": data["new"] or b""}
        target = {"target": self.targets[data["target"]], "conflict": data["conflict"] or "skip"}
        return {**super().arguments, **told, **target, "db": data.get("db")}


FORMS: dict[str, type[ActForm]] = {
    "delete": DeleteForm,
    "expire": ExpireForm,
    "persist": ActForm,
    "rename": RenameForm,
    "copy": CopyForm,
}
