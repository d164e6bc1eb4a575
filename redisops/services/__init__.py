"""Services: register, beat, discover, pick and call; swept and judged by Redis's own clock."""

from redisops.services.agent import Agent, AsyncAgent
from redisops.services.balancer import AsyncBalancer, Balancer
from redisops.services.discovery import AsyncDiscovery, Discovery
from redisops.services.ejection import Ejection
from redisops.services.local import Copy
from redisops.services.model import (
    Beat,
    Event,
    Instance,
    NoInstance,
    Reading,
    Registration,
    Repaired,
    Replaced,
    Swept,
    Terms,
    event,
)
from redisops.services.naming import SERVICES, Keys
from redisops.services.registry import AsyncRegistry, Held, Judged, Registry
from redisops.services.sweeper import AsyncSweeper, Sweeper

__all__ = [
    "SERVICES",
    "Agent",
    "AsyncAgent",
    "AsyncBalancer",
    "AsyncDiscovery",
    "AsyncRegistry",
    "AsyncSweeper",
    "Balancer",
    "Beat",
    "Copy",
    "Discovery",
    "Ejection",
    "Event",
    "Held",
    "Instance",
    "Judged",
    "Keys",
    "NoInstance",
    "Reading",
    "Registration",
    "Registry",
    "Repaired",
    "Replaced",
    "Sweeper",
    "Swept",
    "Terms",
    "event",
]
