"""Room for the calls below a view, taken once.

CPython (3.11 and later) keeps Python frames in chunks of 16 KiB and gives a chunk back as soon as
its last frame ends. Where a page's depth is just at the end of a chunk, each call of a loop maps
memory and unmaps it again: a list of 100 keys did so 300 times, a third of its time on a virtual
machine. A frame that asks for more than a chunk gets a larger one, with room for all below it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# Words of eight bytes: above 64 KiB, so that the chunk has 128 KiB; a page needs about 40.
WORDS = 8_500


def roomy(view: Callable[P, T]) -> Callable[P, T]:
    """Run ``view`` in one chunk with everything that it calls."""

    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return view(*args, **kwargs)

    call.__code__ = call.__code__.replace(co_stacksize=WORDS)
    return functools.update_wrapper(call, view)
