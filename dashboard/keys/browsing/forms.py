"""What the key browser reads from an address. State is in the query string, in Redis's words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.http import QueryDict

from redisops import decoders, keys
from redisops.errors import InvalidArgument
from redisops.filters import EXPIRY, RANGE, span

TYPES = ("string", "hash", "list", "set", "zset", "stream")
SORTS = ("name", "type", "ttl", "memory", "length", "idle")
EXPIRIES = (
    ("", "Any expiry"),
    ("none", "No expiry"),
    ("any", "Some expiry"),
    ("<60", "Under a minute"),
    ("<3600", "Under an hour"),
    ("<86400", "Under a day"),
)
SIZES = (
    ("", "Any size"),
    (">=1025", "Over 1 KiB"),
    (">=65537", "Over 64 KiB"),
    (">=1048577", "Over 1 MiB"),
    (">=16777217", "Over 16 MiB"),
)
RESTS = (
    ("", "Any use"),
    ("<3600", "Used this hour"),
    (">=86400", "Unused for a day"),
    (">=604800", "Unused for 7 d"),
    (">=2592000", "Unused for 30 d"),
)


def choices(
    usual: Sequence[tuple[str, str]], told: str, words: Callable[[float], str]
) -> list[tuple[str, str]]:
    """What a select offers: the usual choices, and the range of the address if it is another."""
    if told in dict(usual):
        return list(usual)
    try:
        return [*usual, (told, range_words(told, words))]
    except InvalidArgument:
        return list(usual)  # it is refused with its reason where it is read


def range_words(text: str, words: Callable[[float], str]) -> str:
    """A range for people: "1 h to 1 d", "Under 60 s", "30 d and more"."""
    low, high = span(text)
    if high is None:
        return f"{words(low)} and more"
    return f"{words(low)} to {words(high)}" if low else f"Under {words(high)}"


def holds_something(text: str) -> None:
    """Refuse a range whose end is not above its start."""
    if re.fullmatch(RANGE, text):
        try:
            span(text)
        except InvalidArgument as error:
            raise ValidationError(f"{error}") from error


class BytesField(forms.CharField):
    r"""Text as people type it; ``\xNN`` stands for one byte."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, strip=False, max_length=8192, **options)

    def to_python(self, value: Any) -> Any:
        # A null byte is a byte like any other here; CharField would refuse it.
        return None if value in (None, "") else keys.from_printable(str(value))

    def run_validators(self, value: Any) -> None:
        if value is not None and len(value) > 8192:
            raise ValidationError("This is longer than 8,192 bytes.")


class DecoderField(forms.CharField):
    """A decoder's name, or several with commas."""

    def clean(self, value: Any) -> str:
        how = super().clean(value) or "auto"
        try:
            decoders.decode(b"", how)
        except InvalidArgument as error:
            raise ValidationError(str(error)) from error
        return how


class AddressForm(forms.Form):
    """What a query string says. Only the fields that it has are made and checked."""

    def __init__(self, query: QueryDict) -> None:
        # What the constructor copies, field by field.
        self.base_fields = {  # type: ignore[misc]
            name: field for name, field in self.base_fields.items() if name in query
        }
        super().__init__(query)

    @property
    def told(self) -> dict[str, Any]:
        """Every field, those that the address leaves out as if they were empty."""
        return {**_nothing_told(type(self)), **self.cleaned_data}


@cache
def _nothing_told(form: type[AddressForm]) -> dict[str, Any]:
    return {name: field.clean(None) for name, field in form.base_fields.items()}


class BrowseForm(AddressForm):
    """Which keys, in which order, from where on."""

    match = BytesField()
    type = forms.CharField(
        required=False,
        validators=[RegexValidator(r"^[A-Za-z0-9_.@-]{1,40}\Z", "A type is one word.")],
    )
    ttl = forms.CharField(
        required=False,
        validators=[
            RegexValidator(rf"^({EXPIRY})\Z", "It is none, any, or a range of seconds."),
            holds_something,
        ],
    )
    size = forms.CharField(
        required=False,
        validators=[
            RegexValidator(rf"^({RANGE})\Z", "It is a range of bytes, as 1025-4097."),
            holds_something,
        ],
    )
    idle = forms.CharField(
        required=False,
        validators=[
            RegexValidator(rf"^({RANGE})\Z", "It is a range of seconds, as >=86400."),
            holds_something,
        ],
    )
    prefix = BytesField()  # type: ignore[assignment]  # a field; forms of ours have no prefix
    delimiter = BytesField()
    cursor = forms.CharField(required=False, max_length=8192)
    count = forms.IntegerField(required=False, min_value=10, max_value=500)
    sort = forms.ChoiceField(
        required=False, choices=[(way + name, "") for name in SORTS for way in ("", "-")]
    )
    view = forms.ChoiceField(required=False, choices=[("tree", "Tree"), ("flat", "Flat")])
    tree = forms.ChoiceField(required=False, choices=[("more", ""), ("again", "")])

    def clean_delimiter(self) -> bytes | None:
        delimiter: bytes | None = self.cleaned_data["delimiter"]
        if delimiter and len(delimiter) > 16:
            raise ValidationError("A delimiter has at most 16 bytes.")
        return delimiter


class ValueForm(AddressForm):
    """Which part of a value, and how it is shown."""

    at = forms.CharField(required=False, max_length=8192)
    rows = forms.IntegerField(required=False, min_value=1, max_value=1000)
    decode = DecoderField(required=False, max_length=200)
    element = forms.IntegerField(required=False, min_value=0, max_value=999)
    window = forms.IntegerField(required=False, min_value=16, max_value=1024 * 1024)
    show = forms.ChoiceField(required=False, choices=[("bits", ""), ("geo", ""), ("groups", "")])
    filter = BytesField()
    order = forms.ChoiceField(
        required=False, choices=[(name, "") for name in ("head", "tail", "asc", "desc")]
    )
    min = forms.CharField(required=False, max_length=40)
    max = forms.CharField(required=False, max_length=40)
    member = BytesField()
    longitude = forms.FloatField(required=False, min_value=-180, max_value=180)
    latitude = forms.FloatField(required=False, min_value=-85.06, max_value=85.06)
    radius = forms.FloatField(required=False, min_value=0, max_value=30_000_000)
    start = forms.CharField(required=False, max_length=60)
    end = forms.CharField(required=False, max_length=60)
    group = BytesField()
    consumer = BytesField()
    pending = forms.CharField(required=False, max_length=8192)
