"""Secrets at rest: sealed, bound to their place, renewable."""

from __future__ import annotations

import base64
import json
from io import StringIO

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from dashboard.servers import secrets
from dashboard.servers.models import Server
from dashboard.servers.secrets import SecretUnreadable

OLD = base64.urlsafe_b64encode(b"o" * 32).decode()
NEW = base64.urlsafe_b64encode(b"n" * 32).decode()


@pytest.fixture
def keys(settings: Settings) -> Settings:
    settings.ENCRYPTION_KEYS = [OLD]
    return settings


def test_a_secret_opens_where_it_was_sealed(keys: Settings) -> None:
    sealed = secrets.seal("pässwörd", "servers.server:shop:password")

    assert "pässwörd" not in sealed
    assert secrets.unseal(sealed, "servers.server:shop:password") == "pässwörd"


def test_the_same_secret_never_looks_the_same(keys: Settings) -> None:
    assert secrets.seal("a", "place") != secrets.seal("a", "place")


@pytest.mark.parametrize("place", ["servers.server:other:password", "servers.server:shop:tls_key"])
def test_a_secret_moved_to_another_row_or_field_does_not_open(keys: Settings, place: str) -> None:
    sealed = secrets.seal("pw", "servers.server:shop:password")

    with pytest.raises(SecretUnreadable, match="belongs to another server"):
        secrets.unseal(sealed, place)


def test_a_changed_text_does_not_open(keys: Settings) -> None:
    version, key_id, body = secrets.seal("pw", "place").split(".")
    raw = bytearray(base64.urlsafe_b64decode(body))

    for position in range(len(raw)):
        raw[position] ^= 1
        changed = f"{version}.{key_id}.{base64.urlsafe_b64encode(raw).decode()}"
        with pytest.raises(SecretUnreadable):
            secrets.unseal(changed, "place")
        raw[position] ^= 1


@pytest.mark.parametrize("text", ["", "v1", "v1.", "v2.ab.cd", "nonsense", "v1..AAAA"])
def test_damaged_texts_say_so(keys: Settings, text: str) -> None:
    with pytest.raises(SecretUnreadable):
        secrets.unseal(text, "place")


def test_an_old_key_still_opens_and_a_lost_one_is_named(keys: Settings) -> None:
    sealed = secrets.seal("pw", "place")

    keys.ENCRYPTION_KEYS = [NEW, OLD]
    assert secrets.unseal(sealed, "place") == "pw"
    assert not secrets.is_current(sealed)

    keys.ENCRYPTION_KEYS = [NEW]
    with pytest.raises(SecretUnreadable, match=sealed.split(".")[1]):
        secrets.unseal(sealed, "place")


@pytest.mark.parametrize("key", ["", "short", "!" * 44, base64.b64encode(b"x" * 31).decode()])
def test_a_bad_key_stops_with_what_would_be_right(keys: Settings, key: str) -> None:
    keys.ENCRYPTION_KEYS = [key]

    with pytest.raises(ImproperlyConfigured, match="32 random bytes"):
        secrets.seal("pw", "place")


def test_reseal_renews_every_secret_and_names_the_lost(keys: Settings, db: None) -> None:
    kept = Server(name="Kept", slug="kept", nodes="a:1")
    kept.set_secret("password", "one")
    kept.set_secret("tls_key", "two")
    kept.save()
    keys.ENCRYPTION_KEYS = [base64.urlsafe_b64encode(b"x" * 32).decode()]
    lost = Server(name="Lost", slug="lost", nodes="b:1")
    lost.set_secret("password", "gone")
    lost.save()

    keys.ENCRYPTION_KEYS = [NEW, OLD]
    out = StringIO()
    with pytest.raises(CommandError, match="lost password"):
        call_command("reseal", stdout=out)

    kept.refresh_from_db()
    assert "2 secrets" in out.getvalue()
    assert all(secrets.is_current(text) for text in kept.sealed.values())
    assert (kept.secret("password"), kept.secret("tls_key")) == ("one", "two")


def test_the_row_and_the_audit_snapshot_hold_no_plain_secret(db: None) -> None:
    server = Server(name="Shop", slug="shop", nodes="a:1")
    server.set_secret("password", "canary-5f1c")
    server.save()

    row = Server.objects.filter(pk=server.pk).values().get()

    assert "canary-5f1c" not in json.dumps(row, default=str)
    assert "canary-5f1c" not in json.dumps(server.snapshot())
    assert server.snapshot()["stored"] == ["password"]


def test_only_known_fields_hold_secrets(db: None) -> None:
    with pytest.raises(ValueError, match="no secret"):
        Server(name="Shop", slug="shop").set_secret("note", "x")
