"""What people type of a check; each problem stands at its field."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from dashboard.servers.models import Server
from dashboard.services.checks.models import JUDGING, ServiceCheck
from dashboard.services.checks.spec import KINDS, Check
from redisops.errors import InvalidArgument
from redisops.services import Terms

TEXT = {"class": "form-control", "autocomplete": "off"}
MONO = {"class": "form-control mono", "autocomplete": "off", "autocapitalize": "off",
        "spellcheck": "false", "dir": "ltr"}  # fmt: skip
NUMBER = TEXT | {"inputmode": "decimal"}
SELECT = {"class": "form-select"}
TICK = {"class": "form-check-input"}
MODE = ServiceCheck.Mode
FIELDS = tuple(Check.__dataclass_fields__)


def _text(most: int, **options: Any) -> forms.CharField:
    return forms.CharField(
        max_length=most, required=False, widget=forms.TextInput(attrs=MONO), **options
    )


def _number(least: float, most: float) -> forms.FloatField:
    return forms.FloatField(
        min_value=least, max_value=most, widget=forms.TextInput(attrs=NUMBER), localize=False
    )


def _whole(least: int, most: int) -> forms.IntegerField:
    return forms.IntegerField(min_value=least, max_value=most, widget=forms.TextInput(attrs=NUMBER))


class CheckForm(forms.Form):
    """The fields of a ``Check``, how it is judged, and which version was seen."""

    mode = forms.ChoiceField(choices=MODE.choices, widget=forms.Select(attrs=SELECT))
    kind = forms.ChoiceField(choices=KINDS.items(), widget=forms.Select(attrs=SELECT))
    path = _text(512)
    method = forms.ChoiceField(
        choices=[("GET", "GET"), ("HEAD", "HEAD")], widget=forms.Select(attrs=SELECT)
    )
    host = _text(253)
    port = _whole(0, 65_535)
    expect = _text(100)
    body = _text(200, strip=False)
    header = _text(262)
    warn_ms = _whole(0, 60_000)
    certificate_days = _whole(0, 3_650)
    verify = forms.BooleanField(required=False, widget=forms.CheckboxInput(attrs=TICK))
    interval = _number(1, 3_600)
    timeout = _number(0.1, 30)
    jitter = _number(0, 50)
    delay = _number(0, 3_600)
    rise = _whole(1, 100)
    fall = _whole(1, 100)
    start_period = _number(0, 86_400)
    reason = forms.CharField(required=False, max_length=500, widget=forms.TextInput(attrs=TEXT))
    instance = forms.CharField(required=False, max_length=200)
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, server: Server, *args: Any, needs_reason: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        self.server, self.needs_reason = server, needs_reason
        self.check: Check | None = None
        self.terms: dict[str, float] = {}

    def clean(self) -> dict[str, Any]:
        """Makes ``check`` and ``terms``; a rule that several fields break is said at the top."""
        data = super().clean() or {}
        if self.needs_reason and not data.get("reason", "").strip():
            self.add_error("reason", "Production needs a reason.")
        if self.errors:
            return data
        said = {name: data[name] for name in FIELDS}
        said["jitter"] = data["jitter"] / 100
        said["path"] = said["path"].strip() or "/"
        said["expect"] = said["expect"].replace(" ", "") or "200-299"
        said["host"], said["header"] = said["host"].strip(), said["header"].strip()
        if said["kind"] not in ("http", "https"):
            for name in ("method", "expect", "body", "header"):
                said[name] = Check.__dataclass_fields__[name].default
            if said["kind"] != "grpc":
                said["path"] = "/"
        try:
            self.check = Check.of(said)
        except InvalidArgument as error:
            raise ValidationError(f"{error}.") from error
        self.terms = {name: data[name] for name in JUDGING}
        return data


def initial(row: ServiceCheck | None, check: Check, terms: Terms) -> dict[str, Any]:
    """The form's values for what holds now."""
    told: dict[str, Any] = {name: getattr(check, name) for name in FIELDS}
    told["jitter"] = round(check.jitter * 100, 3)
    told |= {name: getattr(terms, name) for name in JUDGING}
    told |= row.terms if row else {}
    told = {
        name: f"{value:g}" if isinstance(value, float) else value for name, value in told.items()
    }
    return told | {
        "mode": row.mode if row else MODE.OWN, "seen": row.version if row else 0,
    }  # fmt: skip
