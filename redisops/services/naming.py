"""The names of a service, its instances and its keys."""

from __future__ import annotations

import functools
import re

from redisops.errors import InvalidArgument

SERVICES = b"svc:services"
"""The set of all services that ever registered: a hint, added to by each registration."""
EVENTS = b"service_events:"
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_INSTANCE = re.compile(r"[!-z|~]{1,200}")  # printable ASCII without spaces and braces
_SUFFIXES = (
    "ver", "events", "lease", "rec", "st", "own", "epoch", "cfg", "sus", "until", "swept", "chk",
    "ring", "readers", "told",
)  # fmt: skip


class Keys:
    """The keys of one service, all of one slot: ``svc:{<service>}:...``.

    ``ver`` a counter of visible changes, ``events`` a capped stream of them, ``lease`` a sorted set
    of instances by the end of their lease (ms by the server's clock; hot), ``rec`` a hash of the
    packed records (cold: what clients read), ``st`` a hash of what the health machine remembers,
    ``own`` a hash of fences, ``epoch`` a string that another one follows when Redis lost its data,
    ``cfg`` the hash of Terms, ``sus`` the set of suspects, ``until`` a sorted set of the ends of
    maintenance, ``swept`` a hash of the sweepers' last look and of how many went lately, ``chk`` a
    hash of last check results, ``ring`` a hash of how long the last ones took, ``readers`` a sorted
    set of who discovers it by the end of their word (ms), ``told`` a hash of what they say.
    """

    ver: bytes
    events: bytes
    lease: bytes
    rec: bytes
    st: bytes
    own: bytes
    epoch: bytes
    cfg: bytes
    sus: bytes
    until: bytes
    swept: bytes
    chk: bytes
    ring: bytes
    readers: bytes
    told: bytes

    def __init__(self, service: str) -> None:
        self.service = check_service(service)
        tagged = b"{" + service.encode() + b"}"
        self.start = _start(service)
        for suffix in _SUFFIXES:
            setattr(self, suffix, self.start + suffix.encode())
        self.channel = EVENTS + tagged
        self._documents = b"services:" + tagged + b":"

    def document(self, id: str) -> bytes:
        """The readable hash of one instance, ``services:{<service>}:<instance>``."""
        return self._documents + id.encode()

    def all(self) -> list[bytes]:
        """Every key but the documents."""
        return [getattr(self, suffix) for suffix in _SUFFIXES]


def _start(service: str) -> bytes:
    return b"svc:{" + service.encode() + b"}:"


def vital_keys(service: str) -> tuple[bytes, bytes, bytes]:
    """The keys of which a service that lives has one, for who asks of very many names."""
    start = _start(service)
    return start + b"ver", start + b"rec", start + b"lease"


@functools.lru_cache(maxsize=4_096)
def keys_of(service: str) -> Keys:
    """The keys of a service; made once, they are asked for at every beat."""
    return Keys(service)


def is_service(name: str) -> bool:
    """Whether a service may have this name."""
    return _SERVICE.fullmatch(name) is not None


def check_service(name: str) -> str:
    """The name itself; InvalidArgument when it is none."""
    if not isinstance(name, str) or not _SERVICE.fullmatch(name):
        raise InvalidArgument(
            f"service {name!r:.120} is not 1 to 100 letters, digits, '.', '_' or '-'"
        )
    return name


def check_instance(id: str) -> str:
    """The id itself; InvalidArgument when it is none."""
    if not isinstance(id, str) or not _INSTANCE.fullmatch(id):
        raise InvalidArgument(
            f"instance {id!r:.220} is not 1 to 200 printable characters without spaces and braces"
        )
    return id
