"""What the services API takes and gives, with the bounds of each."""

from __future__ import annotations

from typing import Annotated, Any

from ninja import Schema
from pydantic import ConfigDict, Field, StringConstraints

MOST_AT_ONCE = 200
MOST_WAIT = 60.0
Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Slug = Annotated[str, StringConstraints(min_length=1, max_length=60)]
Text = Annotated[str, StringConstraints(max_length=200)]
Fence = Annotated[int, Field(ge=1, le=2**53, strict=True)]


class Strict(Schema):
    """A misspelt field is refused, not passed over."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Registering(Strict):
    """One instance, as it describes itself."""

    service: Name = Field(description="The name of the service.", examples=["orders"])
    id: Id = Field(description="Its own name within the service.", examples=["orders-1"])
    address: Annotated[str, StringConstraints(min_length=1, max_length=253)] = Field(
        description="Host name or IP address, as callers reach it.", examples=["10.0.0.7"]
    )
    port: int = Field(ge=0, le=65_535, strict=True, examples=[8000], description="Its port.")
    name: Text = Field("", description="For people.")
    version: Text = Field("", description="Of its program.", examples=["1.4.0"])
    zone: Text = Field("", description="Where it runs; callers prefer their own.")
    weight: int = Field(100, ge=0, le=65_535, strict=True, description="Share of the traffic.")
    tags: list[Text] = Field(default_factory=list, max_length=50, description="Short words.")
    metadata: dict[Text, Annotated[str, StringConstraints(max_length=4096)]] = Field(
        default_factory=dict, max_length=50, description="Short texts by name. Public."
    )
    check: dict[str, Any] | None = Field(
        None, description="How it is checked from outside; left out: by its beats alone."
    )
    ttl: float = Field(15.0, ge=0.2, le=300, description="Seconds within which it must beat.")
    state: Text | None = Field(
        None, description="To begin in: starting, passing, warning or draining."
    )
    fence: Fence | None = Field(
        None, description="Of the last answer, when it registers again; else left out."
    )


class Registrations(Strict):
    """Instances to register, each for itself."""

    server: Slug = Field(description="The server's short name.", examples=["shop"])
    instances: list[Registering] = Field(min_length=1, max_length=MOST_AT_ONCE)


class Holding(Strict):
    """An instance that was registered: what its answer gave is the proof."""

    service: Name
    id: Id
    fence: Fence = Field(description="As registering answered it.")
    ttl: float = Field(15.0, ge=0.2, le=300, description="As it was registered.")


class Beats(Strict):
    """Instances that are alive."""

    server: Slug = Field(description="The server's short name.", examples=["shop"])
    instances: list[Holding] = Field(min_length=1, max_length=MOST_AT_ONCE)


class Draining(Beats):
    """Instances that want no new traffic."""

    why: Text = Field("draining", description="For the timeline.")


class Where(Strict):
    """On which server."""

    server: Slug = Field(description="The server's short name.", examples=["shop"])


class Finding(Where):
    """Which instances of a service, and whether to wait for others."""

    index: Text = Field("", description="As it was answered last: wait for another one.")
    wait: float = Field(0.0, ge=0, le=MOST_WAIT, description="Seconds to wait for a change.")
    state: Text = Field("routed", description="routed, all, or one state.")
    version: Text = Field("", description="This version alone; may end in *.")
    zone: Text = Field("", description="This zone alone.")
    tag: Text = Field("", description="Those of this tag alone.")


class Scraping(Where):
    """Which targets."""

    service: Text = Field("", description="This service alone.")
    state: Text = Field("all", description="all, routed, or one state.")


class Leaving(Where):
    """The proof of holding."""

    fence: int = Field(ge=1, le=2**53, description="As registering answered it.")


class Named(Schema):
    """One instance by name."""

    service: str
    id: str


class Registered(Named):
    """What came of one registration."""

    fence: int = Field(description="Send it with each beat; 0 when it was not registered.")
    state: str = Field(description="The state that it is in.")
    problem: str = Field(description="Why it was not registered; empty when it was.")


class RegistrationsAnswer(Schema):
    """What came of each, in their order."""

    instances: list[Registered]
    beat_every: float = Field(description="Seconds between two beats: three within a lease.")


class BeatsAnswer(Schema):
    """Who must do something."""

    missing: list[Named] = Field(description="Not known any more: register again, with fence.")
    replaced: list[Named] = Field(description="Another process has the id now: stop beating.")
    beat_every: float


class DrainAnswer(Schema):
    drained: list[Named]
    missing: list[Named]
    replaced: list[Named]


class LeaveAnswer(Schema):
    left: bool = Field(description="False: it was not there any more.")


class InstanceOut(Schema):
    """An instance as callers see it."""

    id: str = Field(description="Its own name within the service.")
    address: str = Field(description="Host name or IP address, as callers reach it.")
    port: int = Field(description="Its port.")
    state: str = Field(description="starting, passing, warning, critical, draining or maintenance.")
    since: float = Field(description="When it came into this state, seconds since 1970.")
    suspect: bool = Field(description="Its lease is over; kept as too many stopped at once.")
    routed: bool = Field(description="Whether it should get traffic.")
    name: str = Field(description="For people.")
    version: str = Field(description="Of its program.")
    zone: str = Field(description="Where it runs; callers prefer their own.")
    weight: int = Field(description="Share of the traffic.")
    tags: list[str] = Field(description="Short words.")
    metadata: dict[str, str] = Field(description="Short texts by name.")


class ServiceOut(Schema):
    """The instances of a service at one index."""

    service: str
    index: str = Field(description="Changes with each visible change: give it to wait for more.")
    age: float = Field(description="Seconds since Redis confirmed this; 0 when it just did.")
    instances: list[InstanceOut]


class Targets(Schema):
    """One entry of Prometheus's http_sd."""

    targets: list[str]
    labels: dict[str, str]
