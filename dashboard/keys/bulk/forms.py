"""Which keys: what the pages for many keys read from people before anything is counted."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from dashboard.keys.browsing.forms import (
    EXPIRIES,
    RESTS,
    SIZES,
    TYPES,
    BrowseForm,
    BytesField,
    choices,
)
from dashboard.keys.bulk.actions import ACTIONS
from dashboard.ui import numbers
from redisops import keys
from redisops.errors import InvalidArgument

MONO = {
    "class": "form-control mono", "autocomplete": "off", "autocapitalize": "off",
    "spellcheck": "false", "dir": "ltr",
}  # fmt: skip
PLAIN = {"class": "form-control", "autocomplete": "off"}
CHOICE = {"class": "form-select"}
TICK = {"class": "form-check-input"}
MOST_SELECTED = 1_000

NOTHING_CHOSEN = (
    "Nothing was counted: the pattern is empty. Type one, such as cart:*, or tick "
    "“Every key of {server}” if you mean all of them."
)
ONLY_STARS = (
    "This pattern means every key. Tick “Every key of {server}” if that is what you want, "
    "or type more of the name."
)
NONE_SELECTED = "No key is selected. Tick some in the list of keys first."


FILTERS = {
    "ttl": (EXPIRIES, numbers.duration),
    "size": (SIZES, numbers.size),
    "idle": (RESTS, numbers.duration),
}


def filter_field(name: str) -> forms.CharField:
    """The filter of the key list, by the same rules."""
    rules = BrowseForm.base_fields[name].validators
    return forms.CharField(
        required=False, max_length=40, validators=rules, widget=forms.Select(CHOICE)
    )


def offer_filters(form: forms.Form) -> None:
    """Fill the selects of a form's filters: the usual choices, and what the form was told."""
    for name, (usual, words) in FILTERS.items():
        told = form.data.get(name, "") if form.is_bound else form.initial.get(name, "")
        form.fields[name].widget.choices = choices(usual, told, words)


class ScopeForm(forms.Form):
    """A folder, a pattern with filters, or a selection; never every key by leaving a field empty.

    ``cleaned_data["scope"]`` is what ``list_keys`` wants: match, prefix, type, ttl, keys.
    """

    do = forms.ChoiceField(
        choices=[(action.do, action.title) for action in ACTIONS.values()],
        widget=forms.Select(CHOICE),
    )
    source = forms.CharField(required=False, max_length=20)
    match = BytesField(widget=forms.TextInput({**MONO, "placeholder": "cart:eu:*"}))
    prefix = BytesField(widget=forms.TextInput(MONO))  # type: ignore[assignment]
    type = forms.CharField(required=False, max_length=40, widget=forms.Select(CHOICE))
    ttl = filter_field("ttl")
    size = filter_field("size")
    idle = filter_field("idle")
    everything = forms.BooleanField(required=False, widget=forms.CheckboxInput(TICK))

    def __init__(self, server_name: str, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.server_name = server_name
        told = self.data.get("type", "") if self.is_bound else self.initial.get("type", "")
        types = [*TYPES, *({told} - {"", *TYPES})]
        self.fields["type"].widget.choices = [("", "All types"), *((name, name) for name in types)]
        offer_filters(self)

    @property
    def is_folder(self) -> bool:
        """Whether it is about a folder, whose name is no pattern."""
        return bool(self.data.get("prefix") if self.is_bound else self.initial.get("prefix"))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        data["scope"] = self._selection() if data.get("source") == "selection" else self._wanted()
        return data

    def _selection(self) -> dict[str, Any]:
        told = self.data.getlist("key")  # type: ignore[attr-defined]
        if not told:
            raise ValidationError(NONE_SELECTED)
        if len(told) > MOST_SELECTED:
            raise ValidationError(f"At most {MOST_SELECTED:,} keys can be selected one by one.")
        try:
            return {"keys": [keys.from_url(name) for name in told]}
        except InvalidArgument as error:
            raise ValidationError("A selected key's name could not be read.") from error

    def _wanted(self) -> dict[str, Any]:
        data = self.cleaned_data
        filters = {name: data.get(name) or "" for name in ("type", *FILTERS)}
        match, prefix = data.get("match"), data.get("prefix")
        if prefix:
            return {"prefix": prefix, **filters}
        if data.get("everything") and (match is None or not match.strip(b"*")):
            return {"match": b"*", **filters}
        if not match:
            raise ValidationError(NOTHING_CHOSEN.format(server=self.server_name))
        if not match.strip(b"*"):
            raise ValidationError(ONLY_STARS.format(server=self.server_name))
        return {"match": match, **filters}
