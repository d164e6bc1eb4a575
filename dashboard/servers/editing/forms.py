"""Forms for servers and for who may do what on them."""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.models import AnonymousUser
from django.utils.text import slugify

from dashboard.accounts.models import Team, User
from dashboard.accounts.roles import Role
from dashboard.servers.addresses import PORTS, AddressRefused, check_literal, parse_nodes
from dashboard.servers.models import Grant, Server
from dashboard.servers.secrets import SecretUnreadable
from redisops.connection import TLS, parse_url
from redisops.errors import InvalidArgument
from redisops.sessions import Seal

if TYPE_CHECKING:
    ServerModelForm = forms.ModelForm[Server]
else:
    ServerModelForm = forms.ModelForm

# Words that stand in the place of a slug in addresses.
RESERVED = {"home", "add", "check", "all"}
UNCHANGED = "unchanged unless typed"


def session_keys_field() -> forms.CharField:
    """Write-only: what is stored is never sent to the browser."""
    return forms.CharField(
        required=False, max_length=2000, label="Session keys",
        widget=forms.PasswordInput(
            render_value=False,
            attrs={"autocomplete": "new-password", "class": "form-control mono",
                   "spellcheck": "false"},
        ),
    )  # fmt: skip


def clean_session_keys(text: str) -> str:
    """Keys as ``Seal`` takes them, with commas; the error never quotes one."""
    found = [part for part in re.split(r"[\s,]+", text) if part]
    try:
        if found:
            Seal(found)
    except InvalidArgument:
        raise forms.ValidationError(
            "Each key is 32 bytes as base64, the newest first, with commas between them."
        ) from None
    return ",".join(found)


class ServerForm(ServerModelForm):
    """How to reach a server: by one URL, or by its parts.

    Stored secrets are never sent to the browser. An empty secret field keeps what is stored,
    unless the address changed: a stored password never travels to a new address by itself.
    """

    url = forms.CharField(
        required=False,
        label="Address as one URL",
        widget=forms.TextInput(
            attrs={
                "placeholder": "rediss://user:password@redis.example.org:6379/0",
                "autocomplete": "off",
                "spellcheck": "false",
            }
        ),
        help_text="Fills the parts below; its password is kept encrypted.",
    )
    password = forms.CharField(required=False, strip=False, max_length=4000)
    sentinel_password = forms.CharField(required=False, strip=False, max_length=4000)
    tls_key = forms.CharField(required=False, max_length=32000, label="Private key")
    session_keys = session_keys_field()
    forget = forms.MultipleChoiceField(
        required=False,
        choices=[(name, name) for name in Server.SECRETS],
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = Server
        fields = [
            "name", "environment", "note", "kind", "nodes", "service", "db", "username",
            "sentinel_username", "tls", "tls_verify", "tls_server_name", "tls_ca",
            "tls_certificate", "watched", "load_share", "load_commands",
        ]  # fmt: skip
        labels = {"nodes": "Host and port"}

    def __init__(self, *args: Any, actor: User | AnonymousUser, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.actor = actor
        self.before = self.instance.reach if self.instance.pk else None
        for name in ("password", "sentinel_password"):
            self.fields[name].widget = forms.PasswordInput(
                render_value=False, attrs={"autocomplete": "new-password"}
            )
        self.fields["tls_key"].widget = forms.Textarea(attrs={"rows": 3})
        for name in ("tls_ca", "tls_certificate"):
            self.fields[name].widget = forms.Textarea(attrs={"rows": 3})
        self.fields["note"].widget = forms.Textarea(attrs={"rows": 2})
        for name in Server.SECRETS:
            if self.instance.has_secret(name):
                self.fields[name].widget.attrs["placeholder"] = UNCHANGED
        for name, field in self.fields.items():
            if isinstance(field.widget, forms.CheckboxInput | forms.CheckboxSelectMultiple):
                field.widget.attrs["class"] = "form-check-input"
                continue
            select = isinstance(field.widget, forms.Select)
            field.widget.attrs["class"] = "form-select" if select else "form-control"
            if name not in ("name", "note", "environment", "kind"):
                field.widget.attrs["class"] += " mono" if not select else ""
                field.widget.attrs.setdefault("spellcheck", "false")
        for name in ("db", "tls_verify", "watched", "kind", "environment", "load_share"):
            self.fields[name].required = False

    # --- The URL fills the parts ----------------------------------------------------------

    def clean_url(self) -> str:
        """Take the URL apart; its parts replace those of the form."""
        url = str(self.cleaned_data["url"]).strip()
        if not url:
            return ""
        try:
            self.endpoint = parse_url(url)
        except InvalidArgument as error:
            # Shown again it would show the password that may be in it.
            self.data = {**self._sent(), "url": ""}
            raise forms.ValidationError(f"{error}.") from None
        return url

    def _sent(self) -> dict[str, Any]:
        """What was sent, as the fields read it."""
        return {name: self.data.get(name) for name in self.data}

    def clean_kind(self) -> str:
        return self.cleaned_data["kind"] or Server.Kind.STANDALONE

    def clean_environment(self) -> str:
        return self.cleaned_data["environment"] or Server.Environment.NONE

    def clean_db(self) -> int:
        return self.cleaned_data["db"] or 0

    def clean_load_share(self) -> float:
        share: float | None = self.cleaned_data["load_share"]
        return usual_share() if share is None else share

    def clean_name(self) -> str:
        name = " ".join(str(self.cleaned_data["name"]).split())
        if not name.isprintable():
            raise forms.ValidationError("The name holds characters that cannot be seen.")
        return name

    def clean_tls_ca(self) -> str:
        return _certificates(self.cleaned_data["tls_ca"])

    def clean_tls_certificate(self) -> str:
        return _certificates(self.cleaned_data["tls_certificate"])

    def clean_tls_key(self) -> str:
        text = str(self.cleaned_data["tls_key"]).strip()
        if text and "PRIVATE KEY-----" not in text:
            raise forms.ValidationError("Paste the key as PEM text: -----BEGIN PRIVATE KEY-----")
        return text

    def clean_session_keys(self) -> str:
        return clean_session_keys(str(self.cleaned_data["session_keys"]))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("url") and hasattr(self, "endpoint"):
            data.update(_parts(self.endpoint))
            self._show_parts(data)
        self._clean_place(data)
        return data

    def _show_parts(self, data: dict[str, Any]) -> None:
        """If the form is shown again, it shows the parts: the URL may hold a password."""
        shown = {**self._sent(), "url": ""}
        for name in ("kind", "nodes", "service", "db", "username", "sentinel_username"):
            shown[name] = data[name]
        if data["tls"]:
            shown["tls"] = "on"
        self.data = shown

    def _clean_place(self, data: dict[str, Any]) -> None:
        kind, nodes = data.get("kind", ""), str(data.get("nodes") or "").strip()
        if kind == Server.Kind.UNIX:
            if not nodes.startswith("/") or "\0" in nodes:
                self.add_error("nodes", "The socket's path begins with a slash.")
            if not self.actor.is_superuser:
                self.add_error(
                    "kind", "Sockets of the console's own machine: its administrators only."
                )
            data["tls"] = False
        elif "nodes" in data:
            self._clean_nodes(data, kind, nodes)
        if kind == Server.Kind.SENTINEL and not data.get("service"):
            self.add_error(
                "service", "Name the service that the Sentinels watch, such as mymaster."
            )
        if kind == Server.Kind.CLUSTER and data.get("db"):
            self.add_error("db", "A cluster has database 0 only.")
        if kind != Server.Kind.SENTINEL:
            data["service"] = data["sentinel_username"] = ""
        self._clean_pair(data)

    def _clean_pair(self, data: dict[str, Any]) -> None:
        """A client certificate and its key belong together, or none is given."""
        certificate, key = data.get("tls_certificate"), data.get("tls_key")
        if not certificate or "tls_key" in self.errors:
            return
        if not key and not self.instance.has_secret("tls_key"):
            self.add_error("tls_key", "A client certificate needs its private key.")
            return
        try:
            TLS(certificate=certificate, key=key or self.instance.secret("tls_key")).context()
        except (InvalidArgument, SecretUnreadable):
            self.add_error(
                "tls_key",
                "This key does not belong to the certificate, or a passphrase protects it.",
            )

    def _clean_nodes(self, data: dict[str, Any], kind: str, nodes: str) -> None:
        try:
            found = parse_nodes(nodes, PORTS.get(kind, 6379))
            if kind == Server.Kind.STANDALONE and len(found) > 1:
                raise ValueError("One server has one address; several are a cluster or Sentinels.")
            for node in found:
                check_literal(node.host)
        except (ValueError, AddressRefused) as error:
            self.add_error("nodes", str(error))
        else:
            data["nodes"] = ",".join(map(str, found))

    # --- Secrets --------------------------------------------------------------------------

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        if not self.instance.slug:
            self.instance.slug = free_slug(self.instance.name)
        typed = {name for name in Server.SECRETS if self.cleaned_data.get(name)}
        kept = set(self.instance.sealed) - typed - set(self.cleaned_data.get("forget", []))
        if kept and self.before is not None and self.instance.reach != self.before:
            for name in sorted(kept):
                self.add_error(
                    name,
                    "The address or its TLS changed: type this again, or tick Forget. "
                    "A stored secret is not sent to a new address.",
                )
            return
        for name in Server.SECRETS:
            if name in typed:
                self.instance.set_secret(name, self.cleaned_data[name])
            elif name in self.cleaned_data.get("forget", []):
                self.instance.set_secret(name, "")


def _certificates(text: Any) -> str:
    """PEM text only: a path would be read from the console's own disk."""
    pem = str(text or "").strip()
    if not pem:
        return ""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError):
        raise forms.ValidationError(
            "This is no certificate in PEM text: -----BEGIN CERTIFICATE-----"
        ) from None
    return pem


def _parts(endpoint: Any) -> dict[str, Any]:
    """The fields that a URL fills."""
    kind = Server.Kind.UNIX if endpoint.path else Server.Kind(endpoint.topology)
    nodes = endpoint.path or ",".join(
        f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in endpoint.hosts
    )
    filled = {
        "kind": kind,
        "nodes": nodes,
        "service": endpoint.service or "",
        "db": endpoint.db,
        "username": endpoint.username or "",
        "sentinel_username": endpoint.sentinel_username or "",
        "tls": endpoint.encrypted,
    }
    for name in ("password", "sentinel_password"):
        if getattr(endpoint, name):
            filled[name] = getattr(endpoint, name)
    return filled


def free_slug(name: str) -> str:
    """A short name for addresses that nothing else has: "shop", or "shop-2"."""
    wanted = slugify(name)[:50].strip("-_") or "server"
    taken = RESERVED | set(
        Server.objects.filter(slug__startswith=wanted).values_list("slug", flat=True)
    )
    numbered = (f"{wanted}-{n}" if n > 1 else wanted for n in range(1, 10_000))
    return next(slug for slug in numbered if slug not in taken)


class MarkForm(ServerModelForm):
    """What may be changed of a server whose address is declared elsewhere.

    The session keys of a declared one are declared with it; home's are typed here.
    """

    session_keys = session_keys_field()
    forget = forms.MultipleChoiceField(
        required=False, choices=[(name, name) for name in Server.ASIDE]
    )

    class Meta:
        model = Server
        fields = ["environment", "note", "watched", "load_share", "load_commands"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["note"].widget = forms.Textarea(attrs={"rows": 2, "class": "form-control"})
        self.fields["environment"].widget.attrs["class"] = "form-select"
        self.fields["watched"].widget.attrs["class"] = "form-check-input"
        for name in ("load_share", "load_commands"):
            self.fields[name].widget.attrs["class"] = "form-control"
        self.fields["load_share"].required = False
        if self.instance.declared:
            del self.fields["environment"], self.fields["session_keys"], self.fields["forget"]
        elif self.instance.has_secret("session_keys"):
            self.fields["session_keys"].widget.attrs["placeholder"] = UNCHANGED

    def clean_session_keys(self) -> str:
        return clean_session_keys(str(self.cleaned_data["session_keys"]))

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.errors or self.instance.declared:
            return
        typed = self.cleaned_data["session_keys"]
        if typed or self.cleaned_data["forget"]:
            self.instance.set_secret("session_keys", typed)

    def clean_load_share(self) -> float:
        share: float | None = self.cleaned_data["load_share"]
        return usual_share() if share is None else share


def usual_share() -> float:
    """Percent of a server's time that console work may take where nobody said otherwise."""
    return float(Server._meta.get_field("load_share").default)


class GrantForm(forms.Form):
    """Give a role to a person or to a team."""

    holder = forms.ChoiceField(label="Person or team")
    role = forms.ChoiceField(choices=Role.choices)

    def __init__(self, *args: Any, server: Server, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.server = server
        people_with = set(server.grants.values_list("user_id", flat=True))
        teams_with = set(server.grants.values_list("team_id", flat=True))
        people = User.objects.filter(is_active=True, is_superuser=False).order_by("username")
        teams = Team.objects.all()
        self.fields["holder"].choices = [  # type: ignore[attr-defined]
            ("", "Choose…"),
            ("Teams", [(f"team:{t.pk}", t.name) for t in teams if t.pk not in teams_with]),
            ("People", [(f"user:{u.pk}", _named(u)) for u in people if u.pk not in people_with]),
        ]
        for field in self.fields.values():
            field.widget.attrs["class"] = "form-select"

    def grant(self) -> Grant:
        """The grant asked for, not saved."""
        kind, _, pk = self.cleaned_data["holder"].partition(":")
        holder = {"user_id": int(pk)} if kind == "user" else {"team_id": int(pk)}
        return Grant(server=self.server, role=self.cleaned_data["role"], **holder)


def _named(user: User) -> str:
    full = user.get_full_name()
    return f"{user.username} ({full})" if full else user.username
