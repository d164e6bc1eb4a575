"""Write a Redis pattern once; run it blocking or awaiting.

A step method is a generator that yields each call to ``self.redis`` and is handed the
reply. :class:`Blocking` runs it with a ``redis.Redis``, :class:`Awaiting` with a
``redis.asyncio.Redis``; errors and task cancellation arrive at the ``yield``. A step may
yield a command, a pipeline's ``execute()``, a script, another step, a caller's function's
result or ``self.pause(seconds)``, and nothing else happens between a ``yield`` and its
reply.

The two classes of a pattern share one body::

    class _Counter:
        @step
        def add(self, amount: int) -> Steps[int]:
            total = yield self.redis.incrby(self.key, amount)
            return int(total)

    class Counter(_Counter, Blocking): ...
    class AsyncCounter(_Counter, Awaiting): ...
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

P = ParamSpec("P")
T = TypeVar("T")
Steps = Generator[Any, Any, T]


class Blocking:
    """Runs steps to their end in the calling thread."""

    pause: Callable[[float], object] = staticmethod(time.sleep)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _make_plain(cls, _run_here if cls.run is Blocking.run else _run_by)

    def run(self, steps: Steps[T]) -> T:
        """Drive ``steps``; each yielded value is already its own reply."""
        try:
            reply = next(steps)
            while True:
                reply = steps.send(reply)
        except StopIteration as finished:
            result: T = finished.value
            return result


class Awaiting:
    """Runs steps to their end in the running event loop."""

    pause: Callable[[float], Awaitable[object]] = staticmethod(asyncio.sleep)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _make_plain(cls, _run_by)

    async def run(self, steps: Steps[T]) -> T:
        """Drive ``steps``; what is awaitable is awaited, its error thrown in at the yield."""
        try:
            call = next(steps)
            while True:
                try:
                    reply = await call if inspect.isawaitable(call) else call
                except BaseException as error:
                    call = steps.throw(error)
                else:
                    call = steps.send(reply)
        except StopIteration as finished:
            result: T = finished.value
            return result


class step(Generic[P, T]):
    """A method whose body is steps: plain on a Blocking class, a coroutine on an Awaiting one."""

    def __init__(self, body: Callable[Concatenate[Any, P], Steps[T]]) -> None:
        self.body = body
        functools.update_wrapper(self, body)  # type: ignore[arg-type]

    @overload
    def __get__(self, owner: Blocking, kind: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, owner: Awaiting, kind: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    @overload
    def __get__(self, owner: None, kind: type) -> step[P, T]: ...

    def __get__(self, owner: Any, kind: type) -> Any:
        if owner is None:
            return self
        return functools.partial(self._start, owner)

    def _start(self, owner: Any, *args: P.args, **kwargs: P.kwargs) -> Any:
        return owner.run(self.body(owner, *args, **kwargs))


def _make_plain(kind: type, runs: Callable[[Any], Any]) -> None:
    """Put plain methods in the place of a finished class's steps.

    A step can do without, but then each call makes a bound object and goes through one more frame.
    """
    for name in dir(kind):
        found = inspect.getattr_static(kind, name)
        if isinstance(found, step):
            setattr(kind, name, functools.update_wrapper(runs(found.body), found.body))


def _run_here(body: Callable[..., Steps[Any]]) -> Callable[..., Any]:
    def call(owner: Any, *args: Any, **kwargs: Any) -> Any:
        steps = body(owner, *args, **kwargs)  # as Blocking.run, in this very frame
        try:
            reply = next(steps)
            while True:
                reply = steps.send(reply)
        except StopIteration as finished:
            return finished.value

    return call


def _run_by(body: Callable[..., Steps[Any]]) -> Callable[..., Any]:
    def call(owner: Any, *args: Any, **kwargs: Any) -> Any:
        return owner.run(body(owner, *args, **kwargs))

    return call
