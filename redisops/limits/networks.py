"""Entries for whole networks, by address: a look-up for each length of prefix that is in use."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from redisops.limits.addresses import Address, Network

T = TypeVar("T")


def network_of(written: str) -> Network | None:
    """The network that ``10.0.0.0/8`` means; None for what has no prefix or is no network.

    An IPv6 /64 is None, too: under it a single client is counted, as under an address.
    """
    if "/" not in written:
        return None
    try:
        network = ipaddress.ip_network(written.strip(), strict=False)
    except ValueError:
        return None
    return None if network.version == 6 and network.prefixlen == 64 else network


class Networks(Generic[T]):
    """What is said of networks; immutable. False while there is none."""

    def __init__(self, entries: Iterable[tuple[Network, T]]) -> None:
        self._known: dict[tuple[int, int], dict[int, list[T]]] = {}
        for network, entry in entries:
            bits = network.max_prefixlen - network.prefixlen
            at = self._known.setdefault((network.version, bits), {})
            at.setdefault(int(network.network_address) >> bits, []).append(entry)

    def __bool__(self) -> bool:
        return bool(self._known)

    def of(self, address: Address) -> Iterator[T]:
        """What is said of the networks that the address is in."""
        number = int(address)
        for (version, bits), known in self._known.items():
            if version == address.version:
                yield from known.get(number >> bits, ())
