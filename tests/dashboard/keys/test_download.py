"""A value as a file: exact bytes, a safe name, an audit row, and no part taken for the whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import redis
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client

from dashboard.accounts.models import User
from dashboard.audit.models import Entry
from dashboard.keys.browsing.downloads import filename
from dashboard.servers.models import Server
from tests import hostile
from tests.dashboard.keys.conftest import key_path
from tests.servers import RedisProcess


def body(response: Any) -> bytes:
    return b"".join(response.streaming_content)


def test_a_string_comes_out_byte_for_byte(visitor: Client, data: redis.Redis) -> None:
    value = bytes(range(256)) * 2000
    data.set("blob", value)

    response = visitor.get(key_path(b"blob", "download/"))

    assert response.streaming
    assert body(response) == value
    assert response["Content-Disposition"] == 'attachment; filename="blob.bin"'
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Type"] == "application/octet-stream"


def test_a_collection_comes_out_as_json_lines(visitor: Client, filled: redis.Redis) -> None:
    response = visitor.get(key_path(b"queue:mail", "download/"))

    lines = [json.loads(line) for line in body(response).splitlines()]
    assert len(lines) == 252
    assert response["Content-Disposition"] == 'attachment; filename="queue_mail.jsonl"'


def test_a_download_is_in_the_audit(visitor: Client, viewer: User, filled: redis.Redis) -> None:
    body(visitor.get(key_path(b"greeting", "download/")))

    entry = Entry.objects.get(action="keys.download")
    assert (entry.actor, entry.server, entry.target) == ("viewer", "shop", "greeting")
    assert entry.result == "ok"


def test_the_console_s_own_keys_are_refused_and_that_is_recorded(
    visitor: Client, data: redis.Redis
) -> None:
    data.set("redisops:console:session:1", "a person's secret")

    response = visitor.get(key_path(b"redisops:console:session:1", "download/"))

    assert response.status_code == 403
    assert b"a person" not in response.content
    assert Entry.objects.get(action="keys.download").result == "refused"


def test_a_key_that_is_gone_is_404_without_an_entry(visitor: Client, server: Server) -> None:
    assert visitor.get(key_path(b"nothing", "download/")).status_code == 404
    assert not Entry.objects.filter(action="keys.download").exists()


def test_only_reading_is_answered(visitor: Client) -> None:
    assert visitor.post(key_path(b"greeting", "download/")).status_code == 405


def test_a_stranger_finds_nothing(
    stranger: User, filled: redis.Redis, server: Server, client_for: Callable[..., Client]
) -> None:
    assert client_for(stranger).get(key_path(b"greeting", "download/")).status_code == 404


def test_a_server_that_is_down_gives_the_designed_page(
    owner: User, client_for: Callable[..., Client]
) -> None:
    with RedisProcess() as process:
        Server.objects.create(name="Gone", slug="gone", nodes=f"127.0.0.1:{process.port}")
    url = key_path(b"greeting", "download/").replace("/shop/", "/gone/")

    assert client_for(owner).get(url).status_code == 503


@pytest.mark.django_db(transaction=True)
def test_under_asgi_it_is_streamed_without_being_gathered_first(
    viewer: User, data: redis.Redis, server: Server
) -> None:
    """Django warns about plain iterators there, and warnings are errors in tests."""
    value = b"0123456789abcdef" * 50_000
    data.set("blob", value)
    visitor = AsyncClient()
    visitor.force_login(viewer)

    async def fetch() -> tuple[Any, list[bytes]]:
        response: Any = await visitor.get(key_path(b"blob", "download/"))
        chunks = [chunk async for chunk in response.streaming_content]
        await server.async_client().aclose()
        return response, chunks

    response, chunks = async_to_sync(fetch)()

    assert response.status_code == 200
    assert b"".join(chunks) == value
    assert max(map(len, chunks)) <= 64 * 1024


@pytest.mark.parametrize("key", hostile.NAMES)
def test_file_names_are_tame(key: bytes) -> None:
    name = filename(key, "string")

    assert name.isascii()
    assert not name.startswith(".")
    assert not set(name) & set("/\\\"'<>:;\r\n\0 %=")
    assert len(name) <= 90
