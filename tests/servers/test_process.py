"""What a failed test leaves must not be met by the next ones."""

from __future__ import annotations

import pytest
import redis

from tests.servers import RedisProcess


def test_who_is_at_work_on_a_server_stays_behind_when_it_moves() -> None:
    with RedisProcess() as server, server.client() as left:
        left.set("x", 1)
        server.pause()

        server.move()

        with pytest.raises(redis.ConnectionError):
            left.ping()
        with server.client() as plain:
            assert plain.dbsize() == 0
        server.reset()
        assert server.is_well
    assert not server.is_well
