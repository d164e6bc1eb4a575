"""The fleet as rows: how each server is, worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dashboard.servers.models import Server
from dashboard.servers.overview import verdict
from dashboard.servers.overview.figures import percent
from dashboard.servers.overview.verdict import Verdict
from dashboard.servers.sampling import samples
from dashboard.servers.sampling.samples import Snapshot
from dashboard.ui import numbers

SORTS = ("name", "environment")
ENVIRONMENTS = list(Server.Environment)
SAID = {
    "unreachable": "unreachable", "bad": "in trouble", "changing": "changing",
    "warn": "to look at", "unknown": "not known", "off": "not watched", "ok": "healthy",
}  # fmt: skip


@dataclass(frozen=True)
class FleetRow:
    """One server of the table."""

    server: Server
    snapshot: Snapshot
    verdict: Verdict

    @property
    def is_stale(self) -> bool:
        """Whether the figures are of before."""
        return self.snapshot.failing is not None or not self.snapshot.is_fresh()

    @property
    def kind(self) -> str:
        """Standalone, Redis 7.2.4."""
        product = f"{self.snapshot.flavour} {self.snapshot.version}".strip()
        shards = len(self.snapshot.shards)
        shape = f"Cluster of {shards}" if shards else self.server.get_kind_display()
        return ", ".join(part for part in (shape, product) if part)

    @property
    def recent(self) -> list[float | None]:
        """Fifteen minutes of commands/s; what nobody saw is a gap, at the beginning too."""
        known = self.snapshot.recent
        return [*[None] * (samples.RECENT_POINTS - len(known)), *known]

    @property
    def commands(self) -> str:
        return self._live(numbers.count(self.snapshot.figures.get("commands")))

    @property
    def p99(self) -> str:
        value = self.snapshot.figures.get("p99")
        return self._live(numbers.UNKNOWN if value is None else numbers.duration(value / 1000))

    @property
    def hit_rate(self) -> str:
        ratio = self.snapshot.hit_ratio
        return self._live(numbers.UNKNOWN if ratio is None else f"{ratio * 100:.1f}%")

    @property
    def memory(self) -> str:
        """1.84 of 2 GiB; without a limit what is used."""
        used, limit = self.snapshot.figures.get("memory"), self.snapshot.figures.get("limit")
        if used is None:
            return numbers.UNKNOWN
        if not limit:
            return numbers.size(used)
        whole = numbers.size(limit)
        part, _, unit = numbers.size(used).partition(" ")
        return f"{part} of {whole}" if whole.endswith(f" {unit}") else f"{part} {unit} of {whole}"

    @property
    def share(self) -> float | None:
        """Of the limit, or of the machine where there is none."""
        if self.snapshot.memory_share is not None:
            return self.snapshot.memory_share
        used, machine = self.snapshot.figures.get("memory"), self.snapshot.system_memory
        return used / machine if used is not None and machine else None

    @property
    def share_text(self) -> str:
        if self.share is None:
            return ""
        of = "" if self.snapshot.memory_share is not None else " of the machine"
        return f"{percent(self.share)}{of}"

    @property
    def bar_kind(self) -> str:
        if self.is_stale:
            return "off"
        full = self.snapshot.memory_share or 0.0
        return "warn" if full >= verdict.FULL else ""

    @property
    def spark_kind(self) -> str:
        if self.is_stale:
            return "off"
        return "warn" if self.verdict.state in ("warn", "changing") else ""

    def _live(self, text: str) -> str:
        """A rate of before is no rate: only levels are shown as last known."""
        return numbers.UNKNOWN if self.is_stale else text


def rows(
    servers: Sequence[Server],
    snapshots: Mapping[int, Snapshot],
    *,
    sort: str = "",
    held: Sequence[str] = (),
) -> list[FleetRow]:
    """Worst first, or as asked; ``held`` keeps the order that lies under somebody's pointer."""
    found = []
    for server in servers:
        snapshot = snapshots.get(server.pk)
        found.append(FleetRow(server, snapshot or Snapshot(), verdict.judge(server, snapshot)))
    found.sort(key=lambda row: row.server.name.casefold())
    if sort == "environment":
        found.sort(key=lambda row: ENVIRONMENTS.index(Server.Environment(row.server.environment)))
    elif sort != "name":
        found.sort(key=lambda row: (row.verdict.rank, not row.server.is_production))
    if held:
        place = {slug: index for index, slug in enumerate(held)}
        found.sort(key=lambda row: place.get(row.server.slug, len(place)))
    return found


def sentence(found: Sequence[FleetRow]) -> str:
    """5 servers: 1 unreachable, 4 healthy. Production is healthy."""
    if not found:
        return "No server is known to you here."
    states = Counter(row.verdict.state for row in found)
    counted = ", ".join(f"{states[s]} {SAID[s]}" for s in verdict.WORST_FIRST if states[s])
    plural = "s" if len(found) > 1 else ""
    words = f"{len(found)} server{plural}: {counted}."
    production = [row for row in found if row.server.is_production]
    if not production:
        return words
    bad = [row.server.name for row in production if row.verdict.state != "ok"]
    if not bad:
        return f"{words} Production is healthy."
    return f"{words} In production: {', '.join(bad[:5])}."
