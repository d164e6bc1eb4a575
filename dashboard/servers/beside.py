"""Which keys of a server are the library's own: the one list, for whoever lists, judges or counts.

    if beside.is_librarys(name): ...

What services publish and keep by this library: policies of limits and caches, versions of cached
values, leases of services, indexes of sessions. They are live, and nobody's data to tidy away.
"""

from __future__ import annotations

import re

# Indexes of sessions (also behind a prefix), services, and all that is called redisops: (also
# behind the place of a cache). A folder of a count is named as the keys in it begin.
_LIBRARYS = re.compile(
    rb"(?:.*[:.])?sessions:\{.*\}\Z|(?:.*[:.])?session-ends:(?:\{|\Z)|svc:(?:\{|services\Z|\Z)"
    rb"|service_events:|(?:.*[:.])?redisops:",
    re.DOTALL,
)


def is_librarys(name: bytes) -> bool:
    """Whether a key, or a folder with its last ``:``, is what this library keeps for itself."""
    return _LIBRARYS.match(name) is not None
