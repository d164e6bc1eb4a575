"""What people type becomes a policy, and each problem stands at its field."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from django import forms

from dashboard.caching.namespaces import units
from dashboard.caching.namespaces.saying import WHEN_DOWN
from dashboard.servers.models import Server
from redisops.cache import Policy

TEXT = {"class": "form-control", "autocomplete": "off"}
MONO = {"class": "form-control mono", "autocomplete": "off", "autocapitalize": "off",
        "spellcheck": "false"}  # fmt: skip
TIMES = ("ttl", "stale", "negative_ttl", "lease", "wait", "local_ttl")
NEVER = ("", "never", "none", "off", "no")
HOW = {
    "ttl": "10 ms to 30 days; with the stale time 30 days at most.",
    "stale": "0 to 30 days; with the fresh time 30 days at most.",
    "negative_ttl": "0 to 30 days.",
    "lease": "50 ms to 1 h.",
    "wait": "0 to 1 h.",
    "local_ttl": "0 to 1 day.",
    "jitter": "0 to 90%.",
    "early": "0 (never) to 100; 1 is usual.",
    "max_bytes": "1 byte to 64 MiB.",
    "compress": "A size, or never.",
}


def _text(**options: Any) -> forms.CharField:
    return forms.CharField(
        required=False, max_length=60, widget=forms.TextInput(attrs=TEXT), **options
    )


class PolicyForm(forms.Form):
    """``policy`` is what is typed, None where it cannot be read. ``base``: what it began with."""

    ttl, stale, negative_ttl = _text(), _text(), _text()
    jitter, max_bytes, compress = _text(), _text(), _text()
    early, lease, wait, local_ttl = _text(), _text(), _text(), _text()
    when_down = forms.ChoiceField(
        choices=WHEN_DOWN.items(), widget=forms.Select(attrs={"class": "form-select"})
    )
    reason = forms.CharField(
        required=False, max_length=500, widget=forms.TextInput(attrs=TEXT)
    )  # fmt: skip
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)

    policy: Policy | None = None

    def __init__(self, base: Policy, data: Any = None, *, seen: int = 0) -> None:
        super().__init__(data, initial={**filled(base), "seen": seen})
        self.base = base
        for name, field in self.fields.items():
            if data is not None and name in self.errors:
                field.widget.attrs |= {
                    "aria-invalid": "true", "aria-describedby": f"id_{name}_error",
                }  # fmt: skip

    @property
    def usual_open(self) -> bool:
        """Whether a rarely used field needs a look."""
        rare = ("early", "lease", "wait", "when_down", "local_ttl")
        return any(name in self.errors for name in rare)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        read: dict[str, Any] = {}
        for name in TIMES:
            read[name] = self._read(name, units.seconds(data.get(name, "")), "time such as 5 min")
        read["max_bytes"] = self._read(
            "max_bytes", units.size(data.get("max_bytes", "")), "size such as 1 MiB"
        )
        packed = str(data.get("compress", "")).strip()
        if packed.lower() in NEVER:
            read["compress"] = None
        else:
            read["compress"] = self._read("compress", units.size(packed), "size such as 4 KiB")
        read["jitter"] = self._number("jitter", data, 100.0)
        read["early"] = self._number("early", data, 1.0)
        read["when_down"] = data.get("when_down")
        if self.errors:
            return data
        policy = dataclasses.replace(self.base, **read)
        self.policy = policy
        for field, _ in policy.problems():
            self.add_error(field if field in self.fields else None, HOW.get(field, "Not possible."))
            self.policy = None
        return data

    def _number(self, name: str, data: dict[str, Any], per: float) -> Any:
        text = str(data.get(name, "")).strip().rstrip("%").strip()
        found = re.fullmatch(r"[0-9]{1,6}(?:\.[0-9]{1,6})?", text, re.ASCII)
        return self._read(name, round(float(text) / per, 8) if found else None, "number")

    def _read(self, name: str, value: Any, what: str) -> Any:
        if value is None and name not in self.errors:
            typed = str(self.cleaned_data.get(name, ""))[:40]
            said = f"“{typed}” is no {what}" if typed else f"Write a {what}"
            self.add_error(name, f"{said}: {HOW[name][0].lower()}{HOW[name][1:]}")
        return value


def filled(policy: Policy) -> dict[str, str]:
    """A policy as the form's words."""
    said = {name: units.written_seconds(getattr(policy, name)) for name in TIMES}
    return said | {
        "jitter": f"{policy.jitter * 100:g}%",
        "early": f"{policy.early:g}",
        "max_bytes": units.written_size(policy.max_bytes),
        "compress": "never" if policy.compress is None else units.written_size(policy.compress),
        "when_down": policy.when_down,
    }


class Asking(forms.Form):
    """The reason, and on production the server's name, for whatever this area does to a server."""

    reason = forms.CharField(required=False, max_length=500, widget=forms.TextInput(attrs=TEXT))
    confirm = forms.CharField(required=False, max_length=200, widget=forms.TextInput(attrs=MONO))

    def __init__(self, server: Server, data: Any = None, **options: Any) -> None:
        super().__init__(data, **options)
        self.server = server
        if not server.is_production:
            del self.fields["confirm"]

    def check_asked(self) -> bool:
        """Whether what production asks for was given; marks the fields otherwise."""
        if self.server.is_production:
            if self.cleaned_data.get("confirm", "").strip() != self.server.name:
                self.add_error("confirm", f"The name is {self.server.name}; nothing was changed.")
            if not self.cleaned_data.get("reason", "").strip():
                self.add_error("reason", "Say why: this is production.")
        return not self.errors
