"""Whoever changes the rows behind the console's back is found out, and the row is named."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from dashboard.audit import chain, record
from dashboard.audit.models import Entry, Head
from dashboard.audit.verifying import end_is_whole, verify


@pytest.fixture
def ten(db):
    for number in range(1, 11):
        record("test", "keys.change", target=f"key {number}", before={"n": number})


def test_a_chain_that_nobody_touched_is_whole(ten):
    verdict = verify()

    assert (verdict.number, verdict.rows) == (None, 10)
    assert end_is_whole()


def test_an_empty_audit_is_whole(db):
    assert verify().number is None
    assert end_is_whole()


@pytest.mark.parametrize("number", [1, 5, 10])
@pytest.mark.parametrize(
    "change",
    [{"actor": "nobody"}, {"after": {"n": 0}}, {"result": "refused"}, {"target_bytes": b"x"},
     {"reason": "because"}, {"hash": "0" * 64}, {"key_id": "00000000"}, {"intent": 1}],
)  # fmt: skip
def test_an_altered_row_is_named(ten, number, change):
    Entry.objects.filter(number=number).update(**change)

    assert verify().number == number


@pytest.mark.parametrize("number", [1, 5, 10])
def test_a_removed_row_is_named(ten, number):
    Entry.objects.filter(number=number).delete()

    assert verify().number == number


def test_rows_removed_at_the_end_are_missed(ten):
    Entry.objects.filter(number__gt=7).delete()

    verdict = verify()
    assert verdict.number == 8
    assert "8 to 10" in verdict.words
    assert not end_is_whole()


def test_a_head_turned_back_with_its_rows_is_not_believed(ten):
    Entry.objects.filter(number__gt=7).delete()
    last = Entry.objects.get(number=7)

    Head.objects.update(number=7, hash=last.hash)

    assert verify().number == 8
    assert not end_is_whole()


def test_removing_everything_but_the_head_is_seen(ten):
    Entry.objects.all().delete()

    assert verify().number == 1
    assert not end_is_whole()


def test_removing_the_head_is_seen(ten):
    Head.objects.all().delete()

    assert verify().number == 1
    assert not end_is_whole()


def test_a_row_added_past_the_head_is_named(ten):
    last = Entry.objects.get(number=10)
    last.number, last.prev_hash = 11, last.hash
    last.hash = chain.seal(b"a key of one's own", last.content())
    last.save(force_insert=True)

    assert verify().number == 11


def test_a_row_resealed_without_the_key_is_named(ten):
    entry = Entry.objects.get(number=4)
    entry.actor = "nobody"
    entry.hash = chain.seal(b"a key of one's own", entry.content())
    entry.save()

    assert verify().number == 4


def test_rows_of_an_older_secret_key_still_verify(ten, settings):
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another secret key, just as long as the one before it was"

    record("test", "keys.change")

    assert verify().number is None


def test_without_the_older_key_the_first_of_its_rows_is_named(ten, settings):
    settings.SECRET_KEY = "another secret key, just as long as the one before it was"

    verdict = verify()
    assert verdict.number == 1
    assert "key" in verdict.words


def test_the_command_says_that_all_is_well(ten, capsys):
    call_command("audit_verify")

    assert "10 entries" in capsys.readouterr().out


def test_the_command_fails_and_names_the_row(ten):
    Entry.objects.filter(number=6).update(target="other")

    with pytest.raises(CommandError, match="entry 6"):
        call_command("audit_verify")
