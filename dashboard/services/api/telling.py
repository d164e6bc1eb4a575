"""How instances look in answers. No I/O."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from redisops.services import Event, Instance
from redisops.services.local import fits

Filter = Callable[[Instance], bool]


def index_of(epoch: str, version: int) -> str:
    """The index of a service: its epoch (another one after Redis lost its data) and version."""
    return f"{epoch or 'none'}.{version}"


def filtering(state: str, version: str, zone: str, tag: str) -> Filter:
    """Which instances fit; ``state`` is "routed", "all", or one state."""

    def is_fitting(one: Instance) -> bool:
        is_state = one.is_routed if state == "routed" else state in ("all", one.state)
        return is_state and fits(one, version=version, zone=zone, tags=[tag] if tag else [])

    return is_fitting


def told(one: Instance) -> dict[str, Any]:
    """One instance as JSON has it."""
    return {
        "id": one.id,
        "address": one.address,
        "port": one.port,
        "state": one.state,
        "since": one.since,
        "suspect": one.suspect,
        "routed": one.is_routed,
        "name": one.name,
        "version": one.version,
        "zone": one.zone,
        "weight": one.weight,
        "tags": list(one.tags),
        "metadata": dict(one.metadata),
    }


def service(
    name: str, index: str, instances: Iterable[Instance], is_fitting: Filter, age: float = 0.0
) -> dict[str, Any]:
    """A service as the API answers it."""
    fitting = [told(one) for one in instances if is_fitting(one)]
    return {"service": name, "index": index, "age": round(age, 3), "instances": fitting}


def change(one: Event, epoch: str) -> dict[str, Any]:
    """One change as the stream of events tells it."""
    return {
        "service": one.service,
        "index": index_of(epoch, one.version),
        "event": one.event,
        "id": one.id,
        "from": one.origin,
        "to": one.state,
        "why": one.why,
        "at": one.at,
        "instance": told(one.record) if one.record is not None else None,
    }


def framed(event: str, data: dict[str, Any]) -> bytes:
    """A message of Server-Sent Events; its id is the index of ``data``."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return f"id: {data['index']}\nevent: {event}\ndata: {text}\n\n".encode()


def targets(instances: Iterable[Instance]) -> list[dict[str, Any]]:
    """Prometheus's http_sd: one entry for each instance, what it says of itself as labels."""
    return [
        {
            "targets": [one.authority],
            "labels": {
                "__meta_redisops_service": one.service,
                "__meta_redisops_id": one.id,
                "__meta_redisops_name": one.name,
                "__meta_redisops_version": one.version,
                "__meta_redisops_zone": one.zone,
                "__meta_redisops_state": one.state,
                "__meta_redisops_tags": f",{','.join(one.tags)}," if one.tags else "",
                **{f"__meta_redisops_meta_{_label(k)}": v for k, v in one.metadata.items()},
            },
        }
        for one in instances
    ]


def _label(name: str) -> str:
    """A name as labels may have it."""
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in name)
