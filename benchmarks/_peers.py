"""Other libraries' limiters as ``hit(subject)``, where ``make bench`` has installed them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

Hit = Callable[[str], object]
LIMIT, PERIOD = 1_000_000_000, 60


def peers(port: int) -> dict[str, Hit]:
    """Those that are installed, by name; each decides with redis-py on a client of its own."""
    url = f"redis://127.0.0.1:{port}/0"
    found: dict[str, Hit] = {}
    for package, make in (
        ("limits", _limits), ("throttled", _throttled), ("pyrate_limiter", _pyrate),
        ("django_ratelimit", _django_ratelimit),
    ):  # fmt: skip
        if importlib.util.find_spec(package) is None:
            print(
                f"  {package} is not installed: `make bench` installs benchmarks/requirements.txt"
            )
        else:
            found |= make(url)
    return found


def _limits(url: str) -> dict[str, Hit]:
    from limits import RateLimitItemPerMinute, storage, strategies

    store = storage.storage_from_string(url)
    item = RateLimitItemPerMinute(LIMIT)
    several = [RateLimitItemPerMinute(LIMIT, namespace=name) for name in "abc"]
    fixed = strategies.FixedWindowRateLimiter(store)
    sliding = strategies.SlidingWindowCounterRateLimiter(store)
    log = strategies.MovingWindowRateLimiter(store)
    bounded = RateLimitItemPerMinute(100)
    return {
        "limits: fixed window": lambda subject: fixed.hit(item, subject),
        "limits: sliding counter": lambda subject: sliding.hit(item, subject),
        "limits: sliding log": lambda subject: log.hit(bounded, subject),
        "limits: three sliding counters": lambda subject: all(
            sliding.hit(one, subject) for one in several
        ),
    }


def _throttled(url: str) -> dict[str, Hit]:
    from throttled import RateLimiterType, Throttled, rate_limiter, store

    where = store.RedisStore(server=url)
    quota = rate_limiter.per_sec(LIMIT // PERIOD, burst=LIMIT // PERIOD)

    def hit(using: Any) -> Hit:
        return Throttled(using=using.value, quota=quota, store=where).limit

    return {
        "throttled-py: fixed window": hit(RateLimiterType.FIXED_WINDOW),
        "throttled-py: sliding window": hit(RateLimiterType.SLIDING_WINDOW),
        "throttled-py: leaking bucket": hit(RateLimiterType.LEAKING_BUCKET),
        "throttled-py: token bucket": hit(RateLimiterType.TOKEN_BUCKET),
        "throttled-py: gcra": hit(RateLimiterType.GCRA),
    }


def _pyrate(url: str) -> dict[str, Hit]:
    import redis
    from pyrate_limiter import Duration, Limiter, Rate, RedisBucket

    bucket = RedisBucket.init([Rate(100, Duration.MINUTE)], redis.Redis.from_url(url), "pyrate")
    limiter = Limiter(bucket)
    return {"pyrate-limiter: log": lambda subject: limiter.try_acquire(subject, blocking=False)}


def _django_ratelimit(url: str) -> dict[str, Hit]:
    from django.conf import settings

    if not settings.configured:
        backend = "django.core.cache.backends.redis.RedisCache"
        settings.configure(CACHES={"default": {"BACKEND": backend, "LOCATION": url}})
    from django.http import HttpRequest
    from django_ratelimit.core import get_usage

    request = HttpRequest()

    def hit(subject: str) -> object:
        return get_usage(
            request, group="g", key=lambda *_: subject, rate=f"{LIMIT}/m", increment=True
        )

    return {"django-ratelimit: fixed window": hit}
