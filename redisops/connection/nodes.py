"""A breaker for each node of a cluster, made when the node is first used."""

from __future__ import annotations

from redisops.resilience.breaker import CircuitBreaker


class NodeBreakers:
    """Breakers by node name, set like the cluster's own; their leases are local."""

    def __init__(self, like: CircuitBreaker) -> None:
        self._like = like
        self._by_name: dict[str, CircuitBreaker] = {}

    def of(self, name: str) -> CircuitBreaker:
        """The breaker of one node (``host:port``)."""
        known = self._by_name.get(name)
        if known is None:
            like = self._like
            fresh = CircuitBreaker(
                name,
                failures=like.failures,
                rate=like.rate,
                minimum=like.minimum,
                probe_every=like.probe_every,
                probe_lasts=like.probe_lasts,
                counts=like.counts,
            )
            known = self._by_name.setdefault(name, fresh)
        return known

    def all(self) -> dict[str, CircuitBreaker]:
        """Every breaker so far, by node name."""
        return dict(self._by_name)
