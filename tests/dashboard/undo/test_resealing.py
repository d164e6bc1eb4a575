"""``manage.py reseal`` and the recycle bin: everything opens with the new key alone afterwards."""

from __future__ import annotations

import base64
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from dashboard import undo
from dashboard.servers import secrets
from dashboard.undo import resealing
from dashboard.undo.models import Chunk, Removal

NEW = base64.urlsafe_b64encode(b"n" * 32).decode()
LOST = base64.urlsafe_b64encode(b"l" * 32).decode()


@pytest.fixture
def removal(server, data) -> Removal:
    """Three values and an edit, in four chunks."""
    data.mset({b"a": b"\xff\x00", b"b": "x" * 1000, b"c": "3"})
    made = undo.begin("anna", server)
    for key in (b"a", b"b", b"c"):
        made.remove(server.client(), [key])
    made.keep_edit(b"h", {"operation": "set-field", "value": "v"})
    return made


def test_the_old_key_is_needed_no_more(removal, server, data, settings: Settings, monkeypatch):
    monkeypatch.setattr(resealing, "BATCH", 3)
    settings.ENCRYPTION_KEYS = [NEW, *settings.ENCRYPTION_KEYS]
    sizes = list(Chunk.objects.values_list("size", flat=True))

    first, second = StringIO(), StringIO()
    call_command("reseal", stdout=first)
    call_command("reseal", stdout=second)

    assert "4 chunks of the recycle bin" in first.getvalue()
    assert "0 chunks of the recycle bin" in second.getvalue()
    settings.ENCRYPTION_KEYS = [NEW]
    for chunk in Chunk.objects.all():
        assert secrets.is_current_bytes(bytes(chunk.facts))
        assert secrets.is_current_bytes(bytes(chunk.body))
        assert chunk.size == len(bytes(chunk.facts)) + len(bytes(chunk.body)) in sizes
    values = [dump for chunk in Chunk.objects.filter(is_edit=False) for dump in chunk.dumps()]
    assert [dump.key for dump in values] == [b"a", b"b", b"c"]


def test_what_cannot_be_opened_is_named_and_the_rest_is_renewed(removal, settings: Settings):
    old = settings.ENCRYPTION_KEYS
    lost = Chunk.objects.order_by("pk")[1]
    settings.ENCRYPTION_KEYS = [LOST]
    Chunk.objects.filter(pk=lost.pk).update(facts=secrets.seal_bytes(b"x", "elsewhere"))
    settings.ENCRYPTION_KEYS = [NEW, *old]

    out = StringIO()
    with pytest.raises(CommandError, match=f"chunk {lost.pk}"):
        call_command("reseal", stdout=out)

    assert "3 chunks" in out.getvalue()
    for chunk in Chunk.objects.exclude(pk=lost.pk):
        assert secrets.is_current_bytes(bytes(chunk.body))
