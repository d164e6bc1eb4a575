"""What people type of a notification; each problem stands at its field."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Callable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from dashboard.services.notices import sending
from dashboard.services.notices.models import Kind, Rule, Severity
from redisops.errors import InvalidArgument
from redisops.services.naming import check_instance, check_service

TEXT = {"class": "form-control", "autocomplete": "off"}
MONO = {"class": "form-control mono", "autocomplete": "off", "autocapitalize": "off",
        "spellcheck": "false", "dir": "ltr"}  # fmt: skip
SELECT = {"class": "form-select"}
TICK = {"class": "form-check-input"}
WAITS = [(0, "At once"), (10, "After 10 s"), (30, "After 30 s"), (60, "After 1 min"),
         (300, "After 5 min")]  # fmt: skip
REMINDERS = [(0, "Never"), (30, "Every 30 min"), (60, "Every hour"), (240, "Every 4 h"),
             (1440, "Every day")]  # fmt: skip
MUTES = [(30, "30 min"), (60, "1 hour"), (240, "4 hours"), (1440, "1 day"), (10_080, "7 days")]
MOST_MAILS = 20


class RuleForm(forms.Form):
    """``rule`` is what is changed; its address and secret stay where theirs are left empty."""

    name = forms.CharField(max_length=80, widget=forms.TextInput(attrs=TEXT))
    pattern = forms.CharField(max_length=100, initial="*", widget=forms.TextInput(attrs=MONO))
    severity = forms.ChoiceField(
        choices=Severity.choices, initial=Severity.CRITICAL, widget=forms.Select(attrs=SELECT)
    )
    kind = forms.ChoiceField(choices=Kind.choices, widget=forms.Select(attrs=SELECT))
    address = forms.CharField(max_length=2000, required=False, widget=forms.TextInput(attrs=MONO))
    secret = forms.CharField(max_length=120, required=False, widget=forms.TextInput(attrs=MONO))
    wait = forms.TypedChoiceField(
        choices=WAITS, coerce=int, initial=10, widget=forms.Select(attrs=SELECT)
    )
    remind = forms.TypedChoiceField(
        choices=REMINDERS, coerce=int, initial=0, widget=forms.Select(attrs=SELECT)
    )
    quiet_from = forms.TimeField(
        required=False, input_formats=["%H:%M"], widget=forms.TextInput(attrs=MONO)
    )
    quiet_to = forms.TimeField(
        required=False, input_formats=["%H:%M"], widget=forms.TextInput(attrs=MONO)
    )
    time_zone = forms.CharField(max_length=60, initial="UTC", widget=forms.TextInput(attrs=TEXT))
    critical_passes = forms.BooleanField(
        required=False, initial=True, widget=forms.CheckboxInput(attrs=TICK)
    )
    paused = forms.BooleanField(required=False, widget=forms.CheckboxInput(attrs=TICK))

    def __init__(self, rule: Rule, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.rule = rule

    def clean_pattern(self) -> str:
        pattern = str(self.cleaned_data["pattern"]).strip()
        if not re.fullmatch(r"[\w.*?-]+", pattern, re.ASCII):
            raise ValidationError("Letters, digits, dots, dashes; * is any text, ? one character.")
        return pattern

    def clean_time_zone(self) -> str:
        name = str(self.cleaned_data["time_zone"]).strip()
        if name not in zoneinfo.available_timezones():
            raise ValidationError("Name a time zone such as Europe/Oslo, or UTC.")
        return name

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        self._clean_address(data)
        if (data.get("quiet_from") is None) != (data.get("quiet_to") is None):
            self.add_error("quiet_to", "Quiet hours have a beginning and an end.")
        return data

    def _clean_address(self, data: dict[str, Any]) -> None:
        kind, address = data.get("kind"), str(data.get("address") or "").strip()
        same_kind = self.rule.pk is not None and kind == self.rule.kind
        if not address:
            if not same_kind:
                self.add_error("address", "Say where it is sent to.")
        elif kind == Kind.MAIL:
            data["address"] = self._mails(address)
        else:
            try:
                sending.parse(address)
            except ValueError as error:
                self.add_error("address", str(error))
            data["address"] = address
        secret = str(data.get("secret") or "").strip()
        if kind == Kind.WEBHOOK and (secret or not same_kind):
            try:
                sending.key_of(secret)
            except ValueError as error:
                self.add_error("secret", str(error))
        data["secret"] = secret if kind == Kind.WEBHOOK else ""

    def _mails(self, text: str) -> str:
        mails = text.replace(",", " ").split()
        if len(mails) > MOST_MAILS:
            self.add_error("address", f"At most {MOST_MAILS} e-mail addresses.")
        for one in mails[:MOST_MAILS]:
            try:
                validate_email(one)
            except ValidationError:
                self.add_error("address", f'"{one}" is no e-mail address.')
        return ",".join(mails)


class MuteForm(forms.Form):
    """Whom nobody is told of, for how long, and why."""

    service = forms.CharField(max_length=100, widget=forms.TextInput(attrs=MONO))
    instance = forms.CharField(max_length=200, required=False, widget=forms.TextInput(attrs=MONO))
    minutes = forms.TypedChoiceField(
        choices=MUTES, coerce=int, initial=60, widget=forms.Select(attrs=SELECT)
    )
    why = forms.CharField(max_length=200, widget=forms.TextInput(attrs=TEXT))

    def clean_service(self) -> str:
        return _checked(check_service, self.cleaned_data["service"])

    def clean_instance(self) -> str:
        instance = str(self.cleaned_data["instance"])
        return _checked(check_instance, instance) if instance else ""

    def clean_why(self) -> str:
        why = " ".join(str(self.cleaned_data["why"]).split())
        return "".join(one for one in why if one.isprintable())


def _checked(check: Callable[[str], str], name: str) -> str:
    try:
        return check(name)
    except InvalidArgument as error:
        raise ValidationError(str(error)) from error


def place_of(kind: str, address: str) -> str:
    """What people may see of an address: the path of a webhook is as good as a password."""
    if kind == Kind.MAIL:
        return address.replace(",", ", ")[:300]
    return (sending.parse(address).hostname or "")[:300]
