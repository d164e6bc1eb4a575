"""Servers as code: a YAML list in REDISOPS_SERVERS_FILE or REDISOPS_SERVERS, kept in step.

Each entry has a ``name``, a ``url`` and what else ``FIELDS`` lists; ``${NAME}`` anywhere in a
value is replaced by that environment variable, so that secrets stay out of the file. Syncing is
all or nothing. A server that is taken out of the declaration is marked and no longer sampled,
but stays until somebody forgets it: its history and grants are worth a question.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from dashboard.accounts.models import User
from dashboard.audit import record
from dashboard.servers.editing.forms import RESERVED, ServerForm
from dashboard.servers.models import Server
from dashboard.servers.secrets import SecretUnreadable

ACTOR = "declaration"
TEXTS = (
    "name", "slug", "environment", "note", "url", "username", "password", "sentinel_username",
    "sentinel_password", "tls_server_name", "tls_ca", "tls_certificate", "tls_key",
    "session_keys",
)  # fmt: skip
SWITCHES = ("tls_verify", "watched")
FIELDS = (*TEXTS, *SWITCHES)
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class DeclarationError(Exception):
    """The declaration cannot be used; the message names the entry and never a secret."""


@dataclass
class Outcome:
    """Slugs, by what became of each."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)


def sync() -> Outcome:
    """Make the declared rows what the declaration says; raises :class:`DeclarationError`."""
    entries = read()
    outcome = Outcome()
    with transaction.atomic():
        for entry in entries:
            _apply(entry, outcome)
        gone = Server.objects.filter(declared=True, withdrawn__isnull=True)
        for server in gone.exclude(slug__in=[entry["slug"] for entry in entries]):
            server.withdrawn, server.watched = timezone.now(), False
            server.save(update_fields=["withdrawn", "watched", "changed"])
            record(ACTOR, "servers.withdraw", server=server.slug, target=server.name)
            outcome.withdrawn.append(server.slug)
    return outcome


def read() -> list[dict[str, Any]]:
    """All entries of the file and of the variable, checked and with their variables filled in."""
    texts = []
    if settings.SERVERS_FILE:
        try:
            texts.append((settings.SERVERS_FILE, Path(settings.SERVERS_FILE).read_text()))
        except (OSError, UnicodeError) as error:
            raise DeclarationError(f"REDISOPS_SERVERS_FILE: {error}") from None
    if settings.SERVERS_INLINE:
        texts.append(("REDISOPS_SERVERS", settings.SERVERS_INLINE))
    entries = [entry for source, text in texts for entry in _parse(source, text)]
    slugs = [entry["slug"] for entry in entries]
    for slug in slugs:
        if slugs.count(slug) > 1:
            raise DeclarationError(f'"{slug}" is declared {slugs.count(slug)} times')
    return entries


def _parse(source: str, text: str) -> list[dict[str, Any]]:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise DeclarationError(
            f"{source}{where} is no YAML: {getattr(error, 'problem', '')}"
        ) from None
    if isinstance(found, dict) and set(found) == {"servers"}:
        found = found["servers"]
    if not isinstance(found, list):
        raise DeclarationError(f"{source} holds no list of servers: - name: … url: …")
    return [_entry(source, number, raw) for number, raw in enumerate(found, 1)]


def _entry(source: str, number: int, raw: Any) -> dict[str, Any]:
    if not isinstance(raw, dict) or not isinstance(raw.get("name"), str) or "url" not in raw:
        raise DeclarationError(f"{source}, server {number}: it needs a name and a url")
    where = f'{source}, server {number} ("{raw["name"]}")'
    unknown = sorted(set(map(str, raw)) - set(FIELDS))
    if unknown:
        raise DeclarationError(
            f"{where}: unknown {', '.join(unknown)}; known are {', '.join(FIELDS)}"
        )
    entry: dict[str, Any] = {name: raw.get(name, True) for name in SWITCHES}
    for name in SWITCHES:
        if not isinstance(entry[name], bool):
            raise DeclarationError(f"{where}: {name} is true or false")
    for name in TEXTS:
        value = raw.get(name, "")
        if isinstance(value, bool | list | dict) or value is None:
            raise DeclarationError(f"{where}: {name} is a text")
        entry[name] = _filled(str(value), where, in_url=name == "url")
    entry["slug"] = entry["slug"] or slugify(entry["name"])
    if not entry["slug"] or slugify(entry["slug"]) != entry["slug"] or entry["slug"] in RESERVED:
        raise DeclarationError(f'{where}: "{entry["slug"]}" cannot be its slug')
    entry["where"] = where
    return entry


def _filled(text: str, where: str, *, in_url: bool) -> str:
    """``${NAME}`` replaced; inside a longer URL percent-encoded: a password may hold "@"."""
    whole = VARIABLE.fullmatch(text) is not None

    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match[1])
        if found is None:
            raise DeclarationError(f"{where}: the variable {match[1]} is not set")
        return quote(found, safe="") if in_url and not whole else found

    return VARIABLE.sub(value, text)


def _apply(entry: dict[str, Any], outcome: Outcome) -> None:
    server = Server.objects.filter(slug=entry["slug"]).first()
    if server is not None and not server.declared:
        raise DeclarationError(
            f'{entry["where"]}: "{entry["slug"]}" was added in the browser; '
            "forget it there, or give this one another slug"
        )
    before = server.snapshot() if server is not None else None
    digest = server.digest if server is not None else ""
    stored = dict(server.sealed) if server is not None else {}
    edited = server or Server(slug=entry["slug"], declared=True)
    returned = edited.withdrawn is not None
    edited.withdrawn = None
    form = ServerForm(_data(entry), instance=edited, actor=User(is_superuser=True))
    if not form.is_valid():
        words = "; ".join(
            f"{name}: {error}" for name, errors in form.errors.items() for error in errors
        )
        raise DeclarationError(f"{entry['where']}: {words}")
    _keep_what_is_the_same(edited, stored)
    if (
        before is not None
        and not returned
        and edited.snapshot() == before
        and edited.digest == digest
        and edited.sealed == stored
    ):
        outcome.same.append(edited.slug)
        return
    form.save()
    action = "servers.create" if before is None else "servers.update"
    record(
        ACTOR,
        action,
        server=edited.slug,
        target=edited.name,
        before=before,
        after=edited.snapshot(),
    )
    (outcome.added if before is None else outcome.changed).append(edited.slug)


def _data(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry as the form's fields; what it does not mention is empty, secrets too."""
    data = {name: entry[name] for name in FIELDS if name not in ("slug", "tls_verify", "watched")}
    data |= {name: "on" for name in SWITCHES if entry[name]}
    data["forget"] = [name for name in Server.SECRETS if not entry[name]]
    return data


def _keep_what_is_the_same(server: Server, stored: dict[str, str]) -> None:
    """A secret sealed again has another text: keep the old one while the secret is the same."""
    sealed = dict(server.sealed)
    for name, text in stored.items():
        if name in sealed:
            new = server.secret(name)
            server.sealed = {**sealed, name: text}
            try:
                same = server.secret(name) == new
            except SecretUnreadable:
                same = False
            if same:
                sealed[name] = text
            server.sealed = sealed
