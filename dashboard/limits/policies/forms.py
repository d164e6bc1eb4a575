"""The editor's form: what people type becomes a policy, and each problem stands at its field."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from django import forms

from dashboard.accounts.models import Team
from redisops.limits.model import ALGORITHMS
from redisops.limits.policies import FAILURES, MODES, PRIORITIES, Policy, problems

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
WAYS = {
    "token_bucket": "Token bucket",
    "sliding_counter": "Sliding window",
    "sliding_log": "Exact log",
    "fixed_window": "Fixed window",
    "leaky_bucket": "Leaky bucket",
    "gcra": "Evenly spaced",
    "concurrency": "In flight",
}
WAYS_HELP = {
    "token_bucket": "Tokens come back steadily; a burst may take all at once.",
    "sliding_counter": "Two windows, the older one weighted: smooth and small.",
    "sliding_log": "Remembers each request: exact, and 16 bytes for each.",
    "fixed_window": "Counts from the first request on. At the edge of two windows up to twice as "
    "much gets through.",
    "leaky_bucket": "Fills with each request and leaks steadily.",
    "gcra": "Lets requests through evenly spaced and says how long each should wait.",
    "concurrency": "How many may run at the same time. A place that is never given back is free "
    "again after the time.",
}
PARTS = {"ip": "IP address", "user": "User", "api_key": "API key", "global": "All together"}
MODES_SAID = {"off": "Off", "shadow": "Shadow", "enforce": "Enforced"}
FAILURES_SAID = {"open": "Let through", "closed": "Refuse", "local": "Count in each process"}
SECONDS = {"ms": 0.001, "s": 1, "sec": 1, "second": 1, "min": 60, "m": 60, "minute": 60, "h": 3600,
           "hour": 3600, "d": 86400, "day": 86400}  # fmt: skip
PERIOD = re.compile(r"\s*([0-9][0-9 ,_]*(?:\.[0-9]+)?)?\s*([a-zA-Z]*)\s*")
GROUPED = re.compile(r"[ ,_\u202f\u00a0]")


class PolicyForm(forms.Form):
    """``policy`` is what is typed, as far as it can be read; None when a number is none.

    ``base`` is what it was made from: exemptions and bans stay as they are there.
    """

    name = forms.CharField(required=False, max_length=200)
    service = forms.CharField(required=False, max_length=200)
    methods = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)
    path = forms.CharField(required=False, max_length=2000)
    subject = forms.MultipleChoiceField(
        required=False, choices=list(PARTS.items()), widget=forms.CheckboxSelectMultiple
    )
    headers = forms.CharField(required=False, max_length=400)
    algorithm = forms.ChoiceField(choices=[(one, WAYS[one]) for one in WAYS if one in ALGORITHMS])
    limit = forms.CharField(required=False, max_length=100)
    period = forms.CharField(required=False, max_length=100)
    burst = forms.CharField(required=False, max_length=100)
    cost = forms.CharField(required=False, max_length=100)
    shares = forms.CharField(required=False, max_length=200)
    mode = forms.ChoiceField(choices=[(one, MODES_SAID[one]) for one in MODES])
    on_failure = forms.ChoiceField(choices=[(one, FAILURES_SAID[one]) for one in FAILURES])
    order = forms.CharField(required=False, max_length=100)
    note = forms.CharField(
        required=False, max_length=4000, widget=forms.Textarea(attrs={"rows": 2})
    )
    team = forms.ModelChoiceField(Team.objects.none(), required=False, empty_label="Nobody")
    reason = forms.CharField(required=False, max_length=500)
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)

    policy: Policy | None = None

    def __init__(
        self, data: Any = None, *, base: Policy | None = None, teams: list[Team], fixed: str = "",
        may_be_nobodys: bool = True, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(data, **kwargs)
        self.base, self.fixed = base, fixed
        kept = base.methods if base else ()
        known = [*METHODS, *(one for one in kept if one not in METHODS)]
        self.fields["methods"].choices = [(one, one) for one in known]  # type: ignore[attr-defined]
        owner: Any = self.fields["team"]
        owner.queryset = Team.objects.filter(pk__in=[one.pk for one in teams])
        owner.empty_label = "Nobody: admins change it" if may_be_nobodys else "Choose a team"
        for name, field in self.fields.items():
            kind = "form-select" if isinstance(field.widget, forms.Select) else "form-control"
            if not isinstance(field.widget, forms.CheckboxSelectMultiple):
                field.widget.attrs |= {"class": kind, "autocomplete": "off"}
            if name in ("name", "service", "path", "headers", "limit", "period", "burst", "cost"):
                field.widget.attrs |= {"class": f"{kind} mono", "spellcheck": "false"}
        if fixed:
            del self.fields["name"]

    @staticmethod
    def filled(policy: Policy) -> dict[str, Any]:
        """A policy as the fields show it."""
        headers = [one.partition(":")[2] for one in policy.subject if one.startswith("header:")]
        return {
            "name": policy.name,
            "service": policy.service,
            "methods": list(policy.methods),
            "path": policy.path,
            "subject": [one for one in policy.subject if one in PARTS],
            "headers": ", ".join(headers),
            "algorithm": policy.algorithm,
            "limit": f"{policy.limit}",
            "period": said_period(policy.period),
            "burst": "" if policy.burst is None else f"{policy.burst}",
            "cost": f"{policy.cost}",
            "shares": ", ".join(f"{name} {part * 100:g}%" for name, part in policy.shares),
            "mode": policy.mode,
            "on_failure": policy.on_failure,
            "order": f"{policy.order}",
            "note": policy.note,
        }

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        policy = self._read(data)
        if policy is not None:
            self.policy = policy
            for problem in problems(policy):
                self.add_error(self._field(problem.field), problem.sentence)
        return data

    def _field(self, name: str) -> str | None:
        return name if name in self.fields else None

    def _read(self, data: dict[str, Any]) -> Policy | None:
        """The policy of these fields; None, with the errors added, when one cannot be read."""
        buckets = data.get("algorithm") in ("token_bucket", "leaky_bucket", "gcra")
        flying = data.get("algorithm") == "concurrency"
        limit = self._whole("limit", data, "How many requests, as a whole number such as 120.")
        period = self._seconds(data)
        burst = self._whole("burst", data, None) if buckets else None
        cost = 1 if flying else self._whole("cost", data, None)
        order = self._whole("order", data, None)
        shares = self._shares(data) if flying else ()
        if "algorithm" not in data or "mode" not in data or "on_failure" not in data:
            return None
        if limit is None or period is None or shares is None or self.errors:
            return None
        headers = [one for one in re.split(r"[,\s]+", str(data.get("headers") or "")) if one]
        read: dict[str, Any] = {
            "name": self.fixed or str(data.get("name") or "").strip(),
            "service": str(data.get("service") or "").strip() or "*",
            "methods": tuple(data.get("methods") or ()),
            "path": str(data.get("path") or "").strip() or "*",
            "subject": (*data.get("subject", ()), *(f"header:{one}" for one in headers)),
            "algorithm": data["algorithm"],
            "limit": limit,
            "period": period,
            "burst": burst,
            "cost": 1 if cost is None else cost,
            "shares": shares,
            "mode": data["mode"],
            "on_failure": data["on_failure"],
            "order": order or 0,
            "note": str(data.get("note") or "").strip(),
        }
        return dataclasses.replace(self.base, **read) if self.base else Policy(**read)

    def _whole(self, name: str, data: dict[str, Any], needed: str | None) -> int | None:
        text = str(data.get(name) or "").strip()
        if not text:
            if needed:
                self.add_error(name, needed)
            return None
        plain = GROUPED.sub("", text)
        if not re.fullmatch(r"-?[0-9]{1,18}", plain, re.ASCII):
            self.add_error(name, f'"{text[:40]}" is not a whole number such as 120.')
            return None
        return int(plain)

    def _seconds(self, data: dict[str, Any]) -> float | None:
        text = str(data.get("period") or "").strip()
        seconds = read_period(text)
        if seconds is None:
            said = f'"{text[:40]}" is no time: ' if text else ""
            self.add_error("period", f"{said}write it like 60 s, 5 min, 1 h or 1 d.")
            return None
        return int(seconds) if seconds == int(min(seconds, 1e15)) else round(seconds, 6)

    def _shares(self, data: dict[str, Any]) -> tuple[tuple[str, float], ...] | None:
        pairs = []
        for piece in re.split(r"[,;]", str(data.get("shares") or "")):
            if not piece.strip():
                continue
            found = re.fullmatch(r"\s*([a-z]+)\s*[:=]?\s*([0-9]{1,3}(?:\.[0-9]+)?)\s*%?\s*", piece)
            if not found:
                known = ", ".join(PRIORITIES)
                self.add_error(
                    "shares",
                    f'"{piece.strip()[:40]}" is not like "critical 100%"; the classes are {known}.',
                )
                return None
            pairs.append((found[1], float(found[2]) / 100))
        return tuple(pairs)


def read_period(text: str) -> float | None:
    """Seconds of what people write: ``60 s``, ``5 min``, ``1 h``, ``day``; else None."""
    found = PERIOD.fullmatch(text)
    unit = (found[2].lower() if found else "") or "s"
    if unit not in SECONDS and unit.endswith("s"):
        unit = unit[:-1]
    if not found or not text or unit not in SECONDS or not (found[1] or found[2]):
        return None
    count = float(GROUPED.sub("", found[1])) if found[1] else 1.0
    return count * SECONDS[unit]


def said_period(seconds: float) -> str:
    """A period in the largest unit that keeps it whole: ``5 min``, ``90 s``."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{int(seconds // size)} {unit}"
    return f"{seconds:g} s" if seconds >= 0.001 else f"{seconds} s"
