"""Where a namespace's keys are: over how many shards, and behind which place, as services told."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from redis.exceptions import NoPermissionError

from dashboard.caching.namespaces import changing
from dashboard.servers.models import Server
from redisops.cache import Cache, Inspector, Policy, Preview, Statistics
from redisops.cache.described import SAMPLE
from redisops.cache.inspecting import MOST_LOOKED_AT
from redisops.errors import InvalidArgument


@dataclass(frozen=True)
class Place:
    """``shards`` are the usual 16 on a cluster, else 1, where services did not tell (``is_told``).

    ``before`` stands before all of the namespace's keys, "" for most.
    """

    server: Server
    namespace: str
    shards: int | None = None
    before: str = ""
    policy: Policy | None = field(default=None, compare=False)
    """The one that holds there, None where neither people nor code said."""

    @property
    def is_told(self) -> bool:
        return self.shards is not None

    @property
    def words(self) -> str:
        """Which of several it is, such as "4 shards behind app:"."""
        count = self.shards or 0
        spread = f"{count:,} shard{'s' * (count != 1)}" if count else "the usual shards"
        return f"{spread} behind {self.before[:60]}" if self.before else spread

    @property
    def is_the_consoles(self) -> bool:
        """Whether its keys are the console's own, which nothing here ends."""
        return self.server.protects(f"{self.before}cache:".encode())

    def inspector(self) -> Inspector:
        """Looks at its entries."""
        return Inspector(self.server.client(), self.shards, self.before, self.policy)

    def cache(self) -> Cache:
        """Ends them. Raises InvalidArgument where the keys are the console's own."""
        if self.is_the_consoles:
            raise InvalidArgument("this cache is the console's own")
        return Cache(
            self.server.client(), self.namespace, follow=False, shards=self.shards,
            place=self.before,
        )  # fmt: skip


def all_of(server: Server, namespace: str) -> list[Place]:
    """Every place where a process keeps its entries that told of it lately, the newest first.

    At most eight; more than one while an old and a new version of a service run side by side. The
    last one that was told, or the usual one, where none told lately. The console's own are left
    out where there are others: a process that tells of them keeps nothing from being ended.
    Two round trips; raises Redis's errors.
    """
    try:
        codes = Statistics(server.client()).codes(namespace)
    except NoPermissionError:  # who may not read this may look at what is usual
        codes = []
    held = changing.held(server, namespace)
    found = [
        Place(server, namespace, code.shards, code.place, held or code.policy) for code in codes
    ]
    places = [*dict.fromkeys(found)] or [Place(server, namespace, policy=held)]
    return [place for place in places if not place.is_the_consoles] or places[:1]


def preview(places: list[Place], wanted: dict[str, bytes]) -> Preview:
    """What the end of it would take, of all the places together; a second for each at most."""
    namespace, most = places[0].namespace, MOST_LOOKED_AT // len(places)
    found = [place.inspector().preview(namespace, **wanted, most=most) for place in places]
    if len(found) == 1:
        return found[0]
    sample = [one for looked in found for one in looked.sample]
    return replace(
        found[0],
        entries=sum(looked.entries for looked in found),
        bytes=sum(looked.bytes for looked in found),
        load=sum(looked.load for looked in found),
        looked_at=min(looked.looked_at for looked in found),
        is_complete=all(looked.is_complete for looked in found),
        sample=tuple(sample[:SAMPLE]),
    )
