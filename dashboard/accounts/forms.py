"""What people type about people."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.contrib.auth.password_validation import (
    password_validators_help_texts,
    validate_password,
)

from dashboard.accounts import tokens
from dashboard.accounts.models import OwnedPrefix, Team, User
from redisops import keys
from redisops.errors import RedisopsError


def _password(label: str) -> forms.CharField:
    return forms.CharField(
        label=label, max_length=4096, strip=False, widget=forms.PasswordInput(render_value=False)
    )


class SignInForm(forms.Form):
    username = forms.CharField(max_length=150, strip=True)
    password = forms.CharField(max_length=4096, strip=False)


class NewPasswordForm(forms.Form):
    """The present password, and the next one twice."""

    current = _password("Password now")
    new = _password("New password")
    again = _password("New password again")

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        self.rules = " ".join(password_validators_help_texts()[1:2])
        for name, hint in (
            ("current", "current-password"),
            ("new", "new-password"),
            ("again", "new-password"),
        ):
            self.fields[name].widget = forms.PasswordInput(
                attrs={"class": "form-control", "autocomplete": hint}
            )

    def clean_current(self) -> str:
        current: str = self.cleaned_data["current"]
        if not self.user.check_password(current):
            raise forms.ValidationError("That is not the password you have now.")
        return current

    def clean_new(self) -> str:
        new: str = self.cleaned_data["new"]
        validate_password(new, self.user)
        if self.user.check_password(new):
            raise forms.ValidationError("That is the password you have now.")
        return new

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("new") and data.get("again") and data["new"] != data["again"]:
            self.add_error("again", "The two new passwords differ.")
        return data


class UserForm(forms.ModelForm):  # type: ignore[type-arg]
    """A new person; the password is made by the console."""

    is_superuser = forms.BooleanField(
        label="Admin of the console and of every server", required=False
    )

    class Meta:
        model = User
        fields = ["username", "first_name", "last_name", "email", "is_superuser"]
        labels = {"username": "User name"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("username", "first_name", "last_name", "email"):
            self.fields[name].widget.attrs |= {"class": "form-control", "autocomplete": "off"}
        self.fields["username"].widget.attrs |= {"spellcheck": "false", "autocapitalize": "off"}

    def clean_username(self) -> str:
        username: str = self.cleaned_data["username"]
        # Two people called "Mara" and "mara" would be one in every reader's eyes.
        if User.objects.filter(username__iexact=username).exists():
            raise forms.ValidationError("Somebody has this name already.")
        return username


class TeamForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Team
        fields = ["name"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].widget.attrs |= {"class": "form-control", "autocomplete": "off"}


class PrefixForm(forms.ModelForm):  # type: ignore[type-arg]
    """A prefix in the printable spelling of key names."""

    class Meta:
        model = OwnedPrefix
        fields = ["prefix", "server"]
        labels = {"server": "Server"}

    def __init__(self, team: Team, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.team = team
        attributes = {"class": "form-control mono", "autocomplete": "off", "spellcheck": "false"}
        self.fields["prefix"].widget.attrs |= attributes | {"placeholder": "orders:"}
        self.fields["prefix"].strip = False  # type: ignore[attr-defined]
        self.fields["server"].widget.attrs |= attributes | {"placeholder": "every server"}

    def clean_prefix(self) -> str:
        prefix: str = self.cleaned_data["prefix"]
        try:
            return keys.printable(keys.from_printable(prefix))
        except (RedisopsError, ValueError) as error:
            raise forms.ValidationError(f"{error}.") from None

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        taken = OwnedPrefix.objects.filter(server=data.get("server", ""), prefix=data.get("prefix"))
        if owner := taken.select_related("team").first():
            self.add_error("prefix", f"{owner.team.name} owns this prefix already.")
        return data


class TokenForm(forms.Form):
    """A new API token of one person: its name, what it may, where, and how long."""

    name = forms.CharField(label="Name", max_length=60)
    scopes = forms.MultipleChoiceField(label="It may")
    servers = forms.MultipleChoiceField(label="On these servers")
    services = forms.CharField(label="Only these services", max_length=1000, required=False)
    days = forms.TypedChoiceField(label="It ends", coerce=int, initial=90)

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        known = tokens.scopes()
        held = {slug: name for scope in known for slug, name in scope.servers(user).items()}
        self.servers_held = dict(sorted(held.items(), key=lambda pair: pair[1].casefold()))
        self.fields["name"].widget.attrs |= {
            "class": "form-control", "autocomplete": "off", "placeholder": "payments, Go gateway",
        }  # fmt: skip
        self.fields["services"].widget.attrs |= {
            "class": "form-control", "autocomplete": "off", "placeholder": "orders, pay*",
        }  # fmt: skip
        self.fields["days"].widget.attrs |= {"class": "form-select"}
        self._choices("scopes", [(scope.code, scope.words) for scope in known])
        self._choices("servers", list(self.servers_held.items()))
        self._choices("days", [(days, _ends(days)) for days in tokens.LIFETIMES])
        if len(known) == 1:
            self.fields["scopes"].initial = [known[0].code]
            self.fields["scopes"].required = False

    def _choices(self, name: str, choices: list[tuple[Any, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if tokens.valid(self.user.api_tokens.filter(name__iexact=name)).exists():
            raise forms.ValidationError("You have a token of this name.")
        return name

    def clean_scopes(self) -> list[str]:
        # There is nothing to choose among one, and the form does not ask.
        return self.cleaned_data["scopes"] or [scope.code for scope in tokens.scopes()][:1]

    def clean_services(self) -> list[str]:
        names: list[str] = self.cleaned_data["services"].replace(",", " ").split()
        for name in names:
            if not re.fullmatch(r"[A-Za-z0-9._-]{1,100}\*?", name):
                raise forms.ValidationError(
                    f"{name} is no service: letters, digits, '.', '_', '-', and * at the end."
                )
        return names

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if tokens.valid(self.user.api_tokens.all()).count() >= tokens.MOST:
            self.add_error("name", f"You have {tokens.MOST} tokens. Revoke one first.")
        for code in data.get("scopes", ()):
            held = tokens.scope(code).servers(self.user)
            for slug in data.get("servers", ()):
                if slug not in held:
                    self.add_error("servers", f"You may not do that on {slug}.")
        return data


def _ends(days: int) -> str:
    return f"After {days} days" if days else "Never"
