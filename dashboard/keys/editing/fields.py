"""What the forms of edits are made of: names of any bytes, values in a spelling, rows, times."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from dashboard.keys.editing import spelling, times
from redisops import edits, keys
from redisops.edits import Seen
from redisops.errors import InvalidArgument

LONGEST_NAME = 64 * 1024  # bytes of a name that is typed
ESCAPES = r"\x00 stands for one byte, \\ for a backslash."
MONO = {
    "class": "form-control mono", "autocomplete": "off", "autocapitalize": "off",
    "spellcheck": "false", "dir": "ltr",
}  # fmt: skip


class BytesField(forms.CharField):
    """A name or a small value of any bytes, typed with escapes; cleaned to ``bytes``."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("required", False)
        options.setdefault("widget", forms.TextInput(attrs=MONO))
        options.setdefault("help_text", ESCAPES)
        super().__init__(strip=False, **options)

    def to_python(self, value: Any) -> Any:
        data = keys.from_printable(str(value or ""))
        if len(data) > LONGEST_NAME:
            raise ValidationError("This is longer than 64 KiB.")
        return data

    def prepare_value(self, value: Any) -> Any:
        return keys.printable(value) if isinstance(value, bytes) else value

    def validate(self, value: Any) -> None:
        if self.required and value == b"":
            raise ValidationError("This is needed.")

    def run_validators(self, value: Any) -> None:
        """A null byte is a byte like any other here."""


class ValueField(forms.CharField):
    """A value in the spelling that the form's field ``as`` names; the form makes bytes of it."""

    def __init__(self, rows: int = 12, **options: Any) -> None:
        area = forms.Textarea(attrs={**MONO, "rows": rows, "data-value": ""})
        super().__init__(required=False, strip=False, widget=area, **options)

    def run_validators(self, value: Any) -> None:
        """What it may hold its spelling says."""


class ScoreField(forms.CharField):
    """A double as Redis reads it: ``inf`` is one, and a whole number that it cannot hold is not."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            max_length=400, widget=forms.TextInput(attrs=MONO | {"inputmode": "decimal"}), **options
        )

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if text in self.empty_values:
            return None
        try:
            return edits.score(str(text))
        except InvalidArgument as error:
            raise ValidationError(str(error)) from error

    def run_validators(self, value: Any) -> None:
        """Its limits are those of a double."""

    def prepare_value(self, value: Any) -> Any:
        return score(value) if isinstance(value, float) else value


class WhenField(forms.CharField):
    """An expiry in words; ``times.read`` makes milliseconds of it by the server's clock."""

    def __init__(self, **options: Any) -> None:
        attrs = {"class": "form-control", "autocomplete": "off", "placeholder": "2h 30m"}
        options.setdefault("help_text", times.HINT)
        super().__init__(max_length=80, widget=forms.TextInput(attrs=attrs), **options)


class PairsField(forms.CharField):
    r"""Rows of ``name = value``, one on a line; ``\x3d`` is a ``=`` that is part of a name."""

    def __init__(self, **options: Any) -> None:
        area = forms.Textarea(attrs={**MONO, "rows": 6, "placeholder": "name = value"})
        options.setdefault("help_text", rf"One on a line: name = value. {ESCAPES}")
        super().__init__(strip=False, widget=area, **options)

    def to_python(self, value: Any) -> Any:
        return tuple(self._pair(n, line) for n, line in lines(value))

    def run_validators(self, value: Any) -> None:
        """The number of rows the edit checks."""

    @staticmethod
    def _pair(number: int, line: str) -> tuple[bytes, bytes]:
        name, found, value = line.partition("=")
        if not found:
            raise ValidationError(f"Line {number} has no = between name and value.")
        return keys.from_printable(name.strip(" ")), keys.from_printable(value.strip(" "))


class LinesField(forms.CharField):
    """Elements, one on a line; the form makes rows of them."""

    def __init__(self, columns: int = 1, **options: Any) -> None:
        area = forms.Textarea(attrs={**MONO, "rows": 6})
        options.setdefault("help_text", rf"One on a line. {ESCAPES}")
        super().__init__(strip=False, widget=area, **options)
        self.columns = columns

    def to_python(self, value: Any) -> Any:
        rows = []
        for number, line in lines(value):
            parts = line.split(None, self.columns - 1) if self.columns > 1 else [line.strip(" ")]
            if len(parts) < self.columns:
                raise ValidationError(f"Line {number} has not all of its {self.columns} parts.")
            rows.append(tuple(keys.from_printable(part.strip(" ")) for part in parts))
        return tuple(rows)

    def run_validators(self, value: Any) -> None:
        """The number of rows the edit checks."""


def lines(text: Any) -> list[tuple[int, str]]:
    """The lines that are not empty, with their numbers from 1."""
    every = str(text or "").replace("\r\n", "\n").split("\n")
    return [(number, line) for number, line in enumerate(every, 1) if line.strip()]


def score(value: float) -> str:
    """A score as it is typed: 12 rather than 12.0, every digit that tells it from others."""
    return repr(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)


def seen_to_text(seen: Seen) -> str:
    """A guard for a hidden field: sizes and a digest, not the value itself."""
    return f"{seen.length}.{seen.size}.{seen.offset}.{seen.digest}"


def seen_from_text(text: str) -> Seen:
    """Raises InvalidArgument for anything that ``seen_to_text`` never gave."""
    parts = text.split(".")
    if len(parts) != 4 or not all(p.isascii() and p.isdigit() and len(p) < 16 for p in parts[:3]):
        raise InvalidArgument("the form does not say what was seen: open it again")
    return Seen(int(parts[0]), int(parts[1]), parts[3][:40], int(parts[2]))


def value_of(data: dict[str, Any], original: bytes | None) -> bytes:
    """The bytes of a form's ``value`` in its spelling, written as ``original`` was. Raises
    ValidationError."""
    try:
        return spelling.read(data.get("value") or "", data.get("spelled") or "escapes", original)
    except (spelling.BadSpelling, InvalidArgument) as error:
        raise ValidationError({"value": str(error)}) from error
