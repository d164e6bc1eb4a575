"""The console's own numbers: requests, and what each area adds.

One process answers for itself. Where several web processes share an address, give them a
``PROMETHEUS_MULTIPROC_DIR`` (prometheus_client's own way): counts then add up over all.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator

from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

REGISTRY = CollectorRegistry(auto_describe=True)
SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5)

requests = Counter(
    "redisops_http_requests", "Requests by view, method and status.",
    ["view", "method", "status"], registry=REGISTRY,
)  # fmt: skip
latency = Histogram(
    "redisops_http_request_seconds", "Time to answer, by view.",
    ["view"], buckets=SECONDS, registry=REGISTRY,
)  # fmt: skip
commands = Counter(
    "redisops_redis_commands", "Commands that pages sent to watched servers.",
    ["view"], registry=REGISTRY,
)  # fmt: skip
round_trips = Counter(
    "redisops_redis_round_trips", "Round trips that pages made to watched servers.",
    ["view"], registry=REGISTRY,
)  # fmt: skip

Source = Callable[[], Iterable[Metric]]


class _Sources:
    """Asks the areas' sources at each scrape: gauges of this process, never stored."""

    def __init__(self) -> None:
        self.sources: list[Source] = []

    def collect(self) -> Iterator[Metric]:
        for source in self.sources:
            yield from source()


_sources = _Sources()
REGISTRY.register(_sources)


def register(source: Source) -> None:
    """Add ``source() -> prometheus metrics``, asked at each scrape; it must not do any I/O."""
    if source not in _sources.sources:
        _sources.sources.append(source)


def exposition(accept: str) -> tuple[bytes, str]:
    """The text and its content type, in the format that the scraper accepts."""
    registry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry(auto_describe=True)
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        registry.register(_sources)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class MetricsMiddleware:
    """Counts and times every request by its view's name: never by its path, which holds keys."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        start = time.perf_counter()
        response = self.get_response(request)
        match = request.resolver_match
        view = (match.view_name if match else "") or "none"
        latency.labels(view).observe(time.perf_counter() - start)
        method = request.method if request.method in METHODS else "other"
        requests.labels(view, method, str(response.status_code)).inc()
        cost = getattr(request, "cost", None)
        if cost is not None:
            commands.labels(view).inc(cost.commands)
            round_trips.labels(view).inc(cost.round_trips)
        return response


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
