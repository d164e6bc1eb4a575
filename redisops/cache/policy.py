"""How a namespace caches: for how long, how stale, how large, and what holds without Redis."""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass
from typing import Any, Literal

from redisops.errors import InvalidArgument

WhenDown = Literal["load", "stale", "raise"]
WHEN_DOWN = ("load", "stale", "raise")
LONGEST = 30 * 86_400.0
LARGEST = 64 * 1024 * 1024
NAMESPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Policy:
    """How one namespace caches. Times are seconds.

    ``ttl``: how long an entry is fresh; ``jitter``: up to this share of it is taken off at random,
    so that what was stored together does not expire together. ``stale``: for how long after that
    it is still served while one loader refreshes it, or the source fails. ``negative_ttl``: for
    how long "the source has None" is remembered, 0 not at all. ``early``: XFetch's beta, how
    eagerly an entry is refreshed before its end, 0 never. ``compress``: bytes above which values
    are compressed, None never. ``max_bytes``: encoded values above this are not stored. ``lease``:
    a loader not done by then may be replaced, and what it brings is not stored. ``wait``:
    how long a reader waits for another's load before it asks the source itself. ``when_down``,
    while Redis does not answer: ``"load"`` asks the source, ``"stale"`` serves what this process
    still has and then asks the source, ``"raise"`` raises CacheUnavailable. ``local_ttl``: the
    longest that a copy in the process is served without asking; over plain pub/sub at most 2.
    """

    namespace: str
    ttl: float = 300.0
    jitter: float = 0.1
    stale: float = 0.0
    negative_ttl: float = 0.0
    early: float = 1.0
    compress: int | None = None
    max_bytes: int = 1_048_576
    lease: float = 10.0
    wait: float = 10.0
    when_down: WhenDown = "load"
    local_ttl: float = 60.0

    def check(self) -> Policy:
        """The policy itself; InvalidArgument names the field that breaks a rule, and the rule."""
        for field, sentence in self.problems():
            raise InvalidArgument(f"{field} {sentence}")
        return self

    def problems(self) -> list[tuple[str, str]]:
        """Pairs of a field and what is wrong with it; none for a policy that can be used."""
        wrong = []
        if not isinstance(self.namespace, str) or not NAMESPACE.fullmatch(self.namespace):
            wrong.append(("namespace", "must be letters, digits, '.', '_' and '-', at most 100"))
        for name, least, most in _BOUNDS:
            value = getattr(self, name)
            if type(value) not in (int, float) or not least <= value <= most:
                wrong.append((name, f"{value!r:.40} is not a number between {least} and {most:g}"))
        if not wrong and self.ttl + self.stale > LONGEST:
            wrong.append(("stale", f"and ttl together are more than {LONGEST:g} seconds"))
        if self.compress is not None and (type(self.compress) is not int or self.compress < 0):
            wrong.append(("compress", f"{self.compress!r:.40} is neither None nor bytes"))
        if type(self.max_bytes) is not int or not 1 <= self.max_bytes <= LARGEST:
            wrong.append(("max_bytes", f"{self.max_bytes!r:.40} is not between 1 and {LARGEST}"))
        if self.when_down not in WHEN_DOWN:
            wrong.append(("when_down", f"{self.when_down!r:.40} is not one of {WHEN_DOWN}"))
        return wrong

    def fresh_for(
        self, left: float, life: float, stale: float, *, is_negative: bool, is_own: bool
    ) -> float | None:
        """For how long an entry is fresh by this policy, in ms; 0 or less: stale; None: a miss.

        ``left``: ms until Redis deletes it, -1 when somebody made it live for ever; ``life`` and
        ``stale``: how long in all and of it stale it was stored for. An entry without a TTL of
        its own obeys a policy that became shorter since.
        """
        fresh = left - stale
        if is_own:
            return math.inf if left < 0 else fresh
        by_policy = (self.negative_ttl if is_negative else self.ttl) * 1000 - (life - left)
        if by_policy >= fresh:
            return fresh
        return by_policy if by_policy + self.stale * 1000 > 0 else None

    def as_dict(self) -> dict[str, Any]:
        """What ``read_policy`` reads."""
        return dataclasses.asdict(self)


_BOUNDS: tuple[tuple[str, float, float], ...] = (
    ("ttl", 0.01, LONGEST), ("jitter", 0.0, 0.9), ("stale", 0.0, LONGEST),
    ("negative_ttl", 0.0, LONGEST), ("early", 0.0, 100.0), ("lease", 0.05, 3600.0),
    ("wait", 0.0, 3600.0), ("local_ttl", 0.0, 86_400.0),
)  # fmt: skip
_FIELDS = frozenset(field.name for field in dataclasses.fields(Policy))


def read_policy(raw: Any) -> Policy:
    """The policy of ``as_dict``; unknown names are left. Raises InvalidArgument."""
    if not isinstance(raw, dict) or "namespace" not in raw:
        raise InvalidArgument("a policy is an object with a namespace")
    return Policy(**{name: value for name, value in raw.items() if name in _FIELDS}).check()
