"""A rig of caches for each kind of client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients import Connecting
from tests.redisops.cache.rigs import Rig
from tests.servers import RedisProcess


@pytest.fixture
def rig(connecting: Connecting, server: RedisProcess) -> Iterator[Rig]:
    rig = Rig(connecting, server)
    yield rig
    rig.close()
