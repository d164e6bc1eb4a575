"""One row for each change: what it keeps, what it hides, and when it refuses."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import RequestFactory

from dashboard.audit import AuditUnavailable, record, recording
from dashboard.audit.models import Entry, Head, Result
from redisops.errors import UnknownResult

pytestmark = pytest.mark.django_db


def test_a_row_says_who_where_what_and_how_it_ended(operator):
    request = RequestFactory().post("/", REMOTE_ADDR="10.1.2.3")
    request.user = operator

    record(request, "servers.update", server="shop", target="Shop", before={"a": 1}, after={"a": 2})

    entry = Entry.objects.get()
    assert (entry.actor, entry.address, entry.server) == ("operator", "10.1.2.3", "shop")
    assert (entry.action, entry.target, entry.result) == ("servers.update", "Shop", "ok")
    assert (entry.before, entry.after) == ({"a": 1}, {"a": 2})


def test_a_key_is_kept_byte_for_byte_and_shown_without_harm():
    key = b"cart:\xff\x00\r\n\xe2\x80\xae<script>"

    record("test", "keys.delete", server="shop", target=key)

    entry = Entry.objects.get()
    assert bytes(entry.target_bytes) == key
    assert "\n" not in entry.target and "\u202e" not in entry.target and "\x00" not in entry.target


@pytest.mark.parametrize(
    "name",
    ["password", "Passwd", "tls_key", "requirepass", "api_key", "refresh_token", "client_secret"],
)
def test_a_field_called_like_a_secret_leaves_only_its_size_and_fingerprint(name):
    record("test", "servers.update", before={name: "hunter2"}, after={"deep": [{name: "hunter3"}]})

    entry = Entry.objects.get()
    assert "hunter" not in f"{entry.before}{entry.after}"
    assert entry.before[name]["bytes"] > 0
    assert entry.before[name]["fingerprint"] != entry.after["deep"][0][name]["fingerprint"]


def test_fields_that_only_sound_secret_are_kept():
    record("test", "servers.update", after={"secrets": ["password"], "passengers": 3})

    assert Entry.objects.get().after == {"secrets": ["password"], "passengers": 3}


def test_the_password_of_a_url_is_never_kept():
    url = "rediss://admin:hunter2@db:6380/0"

    record("test", "servers.update", target=url, after={"url": url}, reason=f"moved to {url}")

    entry = Entry.objects.get()
    assert "hunter2" not in str(entry.content())
    assert "db:6380" in entry.target


@pytest.mark.parametrize("key", [b"session:{abc}", b"user:7:token", b"redisops:console:x"])
def test_values_of_keys_that_a_rule_names_are_masked(key):
    record("test", "keys.change", target=key, before="secret-1", after=b"secret-2")

    entry = Entry.objects.get()
    assert "secret-" not in f"{entry.before}{entry.after}"
    assert entry.before["fingerprint"] != entry.after["fingerprint"]


def test_values_are_bounded():
    record("test", "keys.change", target="x" * 9000, before="y" * 9000, after=["z" * 1999] * 60)

    entry = Entry.objects.get()
    assert len(entry.target) <= 1000 and len(entry.before) <= 2000
    assert entry.after["characters"] > 16_000


ODD = [float("nan"), float("inf"), 1e22, -0.0, 2**70, b"\x00\xff", "a\x00b", "\ud800"]


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_odd_values_come_back_as_they_were_sealed(value):
    entry = record("test", "keys.change", before={"value": value})

    again = Entry.objects.get()
    assert again.content() == entry.content()


def test_recording_writes_the_intention_before_the_change_and_the_outcome_after():
    seen = []

    with recording("test", "keys.delete", server="shop", target=b"cart:1", before=3) as entry:
        seen = list(Entry.objects.values_list("result", flat=True))
        entry.after = 0

    intent, outcome = Entry.objects.order_by("number")
    assert seen == ["intent"]
    assert (outcome.result, outcome.intent, outcome.after) == ("ok", intent.number, 0)
    assert (intent.before, bytes(outcome.target_bytes)) == (3, b"cart:1")


@pytest.mark.parametrize(
    ("error", "result"),
    [(ValueError("no"), Result.FAILED), (UnknownResult("lost"), Result.UNKNOWN)],
)
def test_an_error_is_the_outcome_and_goes_on(error, result):
    with pytest.raises(type(error)), recording("test", "keys.delete", target=b"cart:1"):
        raise error

    outcome = Entry.objects.get(intent__isnull=False)
    assert outcome.result == result
    assert str(error) in outcome.reason


def test_an_error_about_a_masked_key_leaves_its_words_out():
    with pytest.raises(ValueError), recording("test", "keys.change", target=b"session:1"):
        raise ValueError("near 'hunter2'")

    assert Entry.objects.get(intent__isnull=False).reason == "ValueError"


def test_an_intention_may_not_be_rolled_back_with_something_else():
    with (
        transaction.atomic(),
        pytest.raises(RuntimeError),
        recording("test", "keys.delete", target=b"cart:1"),
    ):
        pytest.fail("the change ran")


def refuse_rows() -> None:
    """From now on the database refuses entries, as a full disk makes it; rolled back after."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TRIGGER full BEFORE INSERT ON audit_entry"
            " BEGIN SELECT RAISE(ABORT, 'full'); END"
        )


def test_the_change_does_not_happen_when_it_cannot_be_recorded():
    refuse_rows()
    happened = False

    with pytest.raises(AuditUnavailable) as caught, recording("test", "keys.delete", target=b"a"):
        happened = True

    assert not happened
    assert not caught.value.has_happened
    assert not Head.objects.exists()


def test_a_decision_in_sql_is_undone_with_its_row(stranger):
    refuse_rows()

    with pytest.raises(AuditUnavailable), transaction.atomic():
        stranger.first_name = "Other"
        stranger.save()
        record("test", "accounts.change", target="stranger")

    stranger.refresh_from_db()
    assert stranger.first_name == ""


def test_a_change_whose_outcome_cannot_be_recorded_says_that_it_was_made():
    with (
        pytest.raises(AuditUnavailable) as caught,
        recording("test", "keys.delete", target=b"a"),
    ):
        refuse_rows()

    assert caught.value.has_happened
    assert Entry.objects.get().number == caught.value.intent


def test_the_change_fails_as_it_failed_even_when_that_cannot_be_recorded():
    with pytest.raises(UnknownResult), recording("test", "keys.delete", target=b"a"):
        refuse_rows()
        raise UnknownResult("lost")


def test_a_second_outcome_for_one_intention_is_refused():
    intent = record("test", "keys.delete", result=Result.INTENT)
    Entry.objects.filter(pk=intent.number).update(intent=None)
    with recording("test", "keys.delete") as entry:
        pass

    with pytest.raises(DatabaseError), transaction.atomic():
        Entry.objects.filter(pk=intent.number).update(intent=entry.intent.number)


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [(0, "6.6.6.6", "10.0.0.9"), (1, "6.6.6.6, 1.2.3.4", "1.2.3.4"), (1, "", "10.0.0.9"),
     (2, "6.6.6.6, 1.2.3.4, 10.0.0.1", "1.2.3.4"), (1, "<script>", "")],
)  # fmt: skip
def test_an_address_is_believed_as_far_as_the_proxies_are_ours(
    settings, stranger, proxies, forwarded, address
):
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().post(
        "/", REMOTE_ADDR="10.0.0.9", headers={"X-Forwarded-For": forwarded}
    )
    request.user = stranger

    record(request, "accounts.change")

    assert Entry.objects.get().address == address
