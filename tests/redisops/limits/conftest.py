"""What tests of policies share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.redisops.limits.holding import Holding


@pytest.fixture(params=["blocking", "awaiting"])
def holding(request: pytest.FixtureRequest) -> Iterator[Holding]:
    """Books and guards; the test runs once with the blocking and once with the asyncio ones."""
    made = Holding(awaiting=request.param == "awaiting")
    yield made
    made.close()
