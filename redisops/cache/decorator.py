"""``cached``: a function or a coroutine function whose results are cached."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any, TypeVar

from redisops.cache.body import NOTHING
from redisops.cache.names import Name
from redisops.cache.store import AsyncCache
from redisops.errors import InvalidArgument

F = TypeVar("F", bound=Callable[..., Any])


def cached(
    cache: Any, key: str | Callable[..., Name] | None = None, *,
    tags: Iterable[Name] | Callable[..., Iterable[Name]] = (), ttl: float | None = None,
    fallback: Any = NOTHING,
) -> Callable[[F], F]:  # fmt: skip
    """Cache what a function gives by its arguments; coroutine functions want an AsyncCache.

    ``key`` is a format of the arguments by name (``"product:{id}"``), or a function of them;
    without it the key is the function's name and a digest of its arguments, which must be JSON
    then. Text in a format has its ``%``, ``:`` and braces escaped, so that no argument can reach
    another's entry. ``tags`` may be a function of the arguments, too. ``wrapped.key_of(...)``
    is the key of a call, to delete it by; ``wrapped.__wrapped__`` the function itself.
    """

    def decorate(function: F) -> F:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise InvalidArgument(f"{function!r} yields: only what is returned can be cached")
        awaits = inspect.iscoroutinefunction(function)
        if awaits != isinstance(cache, AsyncCache):
            raise InvalidArgument("coroutine functions want an AsyncCache, functions a Cache")
        signature = inspect.signature(function)

        def key_of(*args: Any, **kwargs: Any) -> Name:
            if callable(key):
                return key(*args, **kwargs)
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            if key is not None:
                return key.format(**{name: _part(v) for name, v in bound.arguments.items()})
            try:
                text = json.dumps(bound.arguments, sort_keys=True, allow_nan=False)
            except (TypeError, ValueError) as error:
                raise InvalidArgument(f"give a key: the arguments are no JSON: {error}") from None
            digest = blake2b(text.encode(), digest_size=16).hexdigest()
            return f"{function.__module__}.{function.__qualname__}:{digest}"

        def options(args: Any, kwargs: Any) -> dict[str, Any]:
            named = tags(*args, **kwargs) if callable(tags) else tags
            return {"tags": named, "ttl": ttl, "fallback": fallback}

        wrapper: Any
        if awaits:

            @functools.wraps(function)
            async def wrapper(*args: Any, **kwargs: Any) -> Any:
                return await cache.get_or_load(
                    key_of(*args, **kwargs), lambda: function(*args, **kwargs),
                    **options(args, kwargs),
                )  # fmt: skip
        else:

            @functools.wraps(function)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                return cache.get_or_load(
                    key_of(*args, **kwargs), lambda: function(*args, **kwargs),
                    **options(args, kwargs),
                )  # fmt: skip

        wrapper.key_of = key_of
        found: F = wrapper
        return found

    return decorate


def _part(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.hex()
    text = str(value)
    for mark in "%:{}":
        text = text.replace(mark, f"%{ord(mark):02x}")
    return text
