"""Fixtures for the library: a cluster of three primaries, and patterns over each kind of client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
import redis.asyncio

from redisops import scripts
from redisops.connection import connect, connect_async
from tests.conftest import Settled
from tests.servers import Cluster, RedisProcess

COUNTING = "return redis.call('INCRBY', KEYS[1], ARGV[1]) .. ''"


@pytest.fixture(scope="module")
def counting() -> Iterator[None]:
    """A script named "counting" that adds: done twice is told from done once. None of ours does."""
    read = scripts._text
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scripts, "_text", lambda name: COUNTING if name == "counting" else read(name))
        yield


@pytest.fixture(params=["blocking", "awaiting", "shipped blocking", "shipped awaiting"])
def build_each(
    request: pytest.FixtureRequest, server: RedisProcess
) -> Iterator[Callable[..., Any]]:
    """``build_each(Values, AsyncValues)``: the pattern over plain redis-py, and over our clients.

    redis-py speaks RESP3 and our clients RESP2: several replies have another shape there.
    """
    if not request.param.endswith("awaiting"):
        url = f"redis://127.0.0.1:{server.port}/0"
        link: Any = connect(url) if request.param.startswith("shipped") else server.client()
        yield lambda blocking, awaiting, *args, **kwargs: blocking(link, *args, **kwargs)
        link.close()
        return

    loop = asyncio.new_event_loop()
    if request.param.startswith("shipped"):
        link = connect_async(f"redis://127.0.0.1:{server.port}/0")
    else:
        link = redis.asyncio.Redis(port=server.port, socket_timeout=60)
    yield lambda blocking, awaiting, *args, **kwargs: Settled(awaiting(link, *args, **kwargs), loop)
    loop.run_until_complete(link.aclose())
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


@pytest.fixture(scope="session")
def cluster_process() -> Iterator[Cluster]:
    """The session's own cluster of three primaries; it is slow to notice that one is stopped."""
    with Cluster(node_timeout=60_000) as cluster:
        yield cluster


@pytest.fixture
def cluster(cluster_process: Cluster) -> Cluster:
    """An empty cluster."""
    for node in cluster_process.nodes:
        with node.client() as client:
            client.flushall()
    return cluster_process


@pytest.fixture
def cluster_node(cluster: Cluster) -> Iterator[redis.Redis]:
    """A plain client on one node of the cluster."""
    with cluster.nodes[0].client() as client:
        yield client
