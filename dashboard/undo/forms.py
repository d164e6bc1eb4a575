"""What a person chooses when something is put back."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from dashboard.undo.options import Options
from redisops import keys

MONO = {
    "class": "form-control mono", "autocomplete": "off", "autocapitalize": "off",
    "spellcheck": "false", "dir": "ltr",
}  # fmt: skip
LONGEST_NAME = 8192
LONGEST_TTL = 10 * 365 * 24 * 3600


class NameField(forms.CharField):
    r"""A name or a part of one as people type it; ``\xNN`` stands for one byte."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, strip=False, max_length=LONGEST_NAME, **options)

    def to_python(self, value: Any) -> Any:
        # A null byte is a byte like any other here; CharField would refuse it.
        return keys.from_printable(str(value or ""))

    def run_validators(self, value: Any) -> None:
        if len(value) > LONGEST_NAME:
            raise ValidationError("This is longer than 8,192 bytes.")


class RestoreForm(forms.Form):
    """All entries or those picked; under other names, over what is there, with a new expiry."""

    which = forms.ChoiceField(choices=[("all", "All"), ("picked", "Picked")])
    old = NameField(label="Names that begin with", widget=forms.TextInput(MONO))
    new = NameField(label="Get this begin instead", widget=forms.TextInput(MONO))
    replace = forms.BooleanField(
        required=False, widget=forms.CheckboxInput({"class": "form-check-input"})
    )
    ttl = forms.IntegerField(
        label="Seconds to live for what has expired since", required=False, min_value=1,
        max_value=LONGEST_TTL, widget=forms.NumberInput({"class": "form-control"}),
    )  # fmt: skip
    reason = forms.CharField(
        label="Why, for the audit", required=False, max_length=500,
        widget=forms.TextInput({"class": "form-control", "autocomplete": "off"}),
    )  # fmt: skip

    @property
    def options(self) -> Options:
        given = self.cleaned_data
        old, new = given["old"], given["new"]
        rename = (old, new) if old != new else None
        return Options(rename, given["replace"], given["ttl"])
