"""What /metrics tells of this process's connections and live pages; asks nobody, counts only."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from dashboard.servers import clients
from dashboard.servers.live.hub import Hub
from redisops.resilience import BreakerState


def collect() -> Iterator[Metric]:
    """A breaker's state by server (the present one is 1), topics that are read, sockets fed."""
    breakers = GaugeMetricFamily(
        "redisops_breaker_state",
        "Circuit breaker of each server this process has talked to: 1 for its present state.",
        labels=["server", "state"],
    )
    for slug, link in list(clients._links.items()):
        present = link.breaker.state
        for state in BreakerState:
            breakers.add_metric([slug, str(state)], float(state is present))
    yield breakers

    readers = [reader for hub in list(Hub._hubs.values()) for reader in list(hub.readers.values())]
    yield GaugeMetricFamily(
        "redisops_live_topics", "Topics that this process reads.", value=len(readers)
    )
    yield GaugeMetricFamily(
        "redisops_live_subscriptions",
        "Sockets that this process feeds, counted once for each topic.",
        value=sum(len(reader.queues) for reader in readers),
    )
