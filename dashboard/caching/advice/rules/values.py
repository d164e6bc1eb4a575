"""Values that are too large for a cache, and values that compression would make smaller."""

from __future__ import annotations

from dashboard.caching.advice.knowing import Known
from dashboard.caching.advice.pieces import (
    BYTES,
    Advice,
    Fix,
    analysis,
    bulk,
    cache_policy,
    namespace_of,
)
from dashboard.caching.advice.rules.expiry import MOST, _counted
from dashboard.caching.eviction.telling import share
from dashboard.ui import numbers
from redisops import keys
from redisops.eviction import prefix_of
from redisops.trials import Trial

LARGE = 256 * 1024  # bytes of memory
GAIN = 0.25  # of the bytes, below which compression is not worth its time
WORTH = 256 * 1024  # bytes in all
FEWEST = 3  # values tried of a prefix


def large(known: Known) -> list[Advice]:
    """Strings above 256 KiB by prefix, from the last count: at least those that it met."""
    if known.counted is None:
        return []
    by_prefix: dict[bytes, list[tuple[int, bytes]]] = {}
    for size, text, kind, _, length in known.counted.figures.biggest:
        name = text.encode("latin-1")
        if kind == "string" and size >= LARGE and not known.is_own(name):
            shown = name if length == len(name) else name + b"..."
            by_prefix.setdefault(prefix_of(name), []).append((size, shown))
    found = [_large(known, prefix, rows) for prefix, rows in by_prefix.items()]
    found.sort(key=lambda one: -one.weight)
    return found[:MOST]


def _large(known: Known, prefix: bytes, rows: list[tuple[int, bytes]]) -> Advice:
    total = sum(size for size, _ in rows)
    rows.sort(reverse=True)
    place = f"of {keys.printable(prefix)}" if prefix else "outside folders"
    fix = (
        bulk(
            known.server, "Delete them…", "delete", prefix, type="string", size=f">={LARGE}"
        )
        if prefix else analysis(known.server, "Look at the largest keys")
    )  # fmt: skip
    return Advice(
        "large", BYTES, f"Values {place} above {numbers.size(LARGE)}",
        f"at least {numbers.size(total)}", float(total),
        f"{numbers.exact(len(rows))} {'value' if len(rows) == 1 else 'values'} of that size "
        f"{'was' if len(rows) == 1 else 'were'} met. Each read of one holds the server and "
        "the line up for all others; a size limit in the program keeps them out.",
        f"{_counted(known)}; {numbers.exact(known.counted.figures.measured)} keys measured"
        if known.counted else "",
        prefix or None,
        [(keys.printable(name[:120]), numbers.size(size)) for size, name in rows[:3]],
        fix,
    )  # fmt: skip


def compressible(known: Known) -> list[Advice]:
    """Prefixes of strings that a trial on the sample made a quarter smaller or more."""
    by_prefix: dict[bytes, list[Trial]] = {}
    for trial in known.trials:
        by_prefix.setdefault(prefix_of(trial.key), []).append(trial)
    sizes: dict[bytes, float] = {}
    tried = {trial.key for trial in known.trials}
    least = min((trial.length for trial in known.trials), default=0)
    for one in known.sample:
        if one.type == "string" and one.size is not None and one.size >= max(least, 1):
            prefix = prefix_of(one.key)
            if prefix in by_prefix:
                sizes[prefix] = sizes.get(prefix, 0.0) + one.size * known.scale
    found = []
    for prefix, trials in by_prefix.items():
        plain = sum(trial.length for trial in trials)
        kept = sum(trial.length * trial.ratio for trial in trials)
        gain = 1 - kept / plain if plain else 0.0
        saved = sizes.get(prefix, 0.0) * gain
        if len(trials) >= FEWEST and gain >= GAIN and saved >= WORTH:
            found.append(_compressible(known, prefix, trials, gain, saved, len(tried)))
    found.sort(key=lambda one: -one.weight)
    return found[:MOST]


def _compressible(
    known: Known, prefix: bytes, trials: list[Trial], gain: float, saved: float, tried: int
) -> Advice:
    name = keys.printable(prefix) if prefix else "names outside folders"
    namespace = namespace_of(prefix)
    how = (
        "Its policy can say from which size on values are compressed."
        if namespace
        else "The program that writes them has to do it: the server compresses nothing."
    )
    fix: Fix | None = None
    if namespace:
        fix = cache_policy(known.server, "Compress its values…", namespace, "compress")
    elif prefix:
        fix = bulk(known.server, "Export them to try it…", "export", prefix, type="string",
                   size=f">={max(1024, min(trial.length for trial in trials))}")  # fmt: skip
    mean = sum(trial.length for trial in trials) / len(trials)
    return Advice(
        "compressible", BYTES, f"Values of {name} that compress well",
        f"about {numbers.size(round(saved))}", saved,
        f"Compressed they would take {share(gain)} less. {how}",
        f"zlib at level 1 on up to 32 KiB of {len(trials)} values, of {tried} tried",
        prefix or None,
        [("Smaller by", share(gain)), ("Mean size", numbers.size(round(mean)))],
        fix,
    )  # fmt: skip
