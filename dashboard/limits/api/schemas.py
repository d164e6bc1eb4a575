"""What the API takes and gives, with the bounds of each; the OpenAPI document is made from it."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from ninja import Schema
from pydantic import ConfigDict, Field, StringConstraints

from redisops.limits.model import MAX_LIMIT

MOST_REQUESTS = 100
MOST_HEADERS = 50
MOST_LEASE = 100_000
Text = Annotated[str, StringConstraints(max_length=1024)]
Value = Annotated[str, StringConstraints(max_length=8192)]
Slug = Annotated[str, StringConstraints(min_length=1, max_length=60)]
SERVER = Field(
    description="The server's short name, as in its address in the console.", examples=["shop"]
)


class Strict(Schema):
    """A misspelt field is refused, not passed over: it may have been the one that limits."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Made(Strict):
    """One request that somebody made of your service, as its policies see it."""

    service: Annotated[str, StringConstraints(min_length=1, max_length=100)] = Field(
        description="The name of your service, as policies name it.", examples=["orders"]
    )
    method: Annotated[str, StringConstraints(max_length=20, to_upper=True)] = Field(
        "GET", description="The HTTP method.", examples=["POST"]
    )
    path: Annotated[str, StringConstraints(max_length=4096)] = Field(
        "/", description="The decoded path, without the query.", examples=["/orders/17"]
    )
    ip: Text = Field(
        "",
        description="The client's own address, as you found it behind your proxies.",
        examples=["203.0.113.9"],
    )
    user: Text = Field("", description="The verified user; empty when there is none.")
    api_key: Text = Field(
        "", description="The client's verified API key. It is counted and shown as a digest."
    )
    headers: dict[Text, Value] = Field(
        default_factory=dict,
        max_length=MOST_HEADERS,
        description="Only those that policies count by.",
    )


class Request(Made):
    """One request to decide about."""

    cost: int | None = Field(
        None,
        ge=1,
        le=MAX_LIMIT,
        strict=True,
        description="What the request takes of each limit; left out: what each policy says.",
    )


class Question(Strict):
    """Requests to decide about, each for itself and in their order."""

    server: Slug = SERVER
    peek: bool = Field(default=False, description="Only look: nothing is counted.")
    requests: list[Request] = Field(
        min_length=1,
        max_length=MOST_REQUESTS,
        description="What you want to know about: one, or several of the same moment.",
    )


class LimitAnswer(Schema):
    """What one limit said. Times are seconds."""

    policy: str
    allowed: bool
    limit: int
    remaining: int
    retry_after: float
    reset_after: float
    shadow: bool = Field(description="It only watches: it never refuses.")


class Verdict(Schema):
    """The decision about one request; times are seconds."""

    allowed: bool = Field(description="Whether it may pass.")
    reason: str = Field(
        description="Empty, denied, too_costly, banned or exempt. While Redis is away: "
        "failed_open, failed_closed, or local (counted in this process)."
    )
    policy: str = Field(description="The policy that decided; empty when none applies.")
    version: int = Field(description="Of that policy.")
    limit: int = Field(description="What its subject may have at most.")
    remaining: int = Field(description="What is left of it.")
    retry_after: float = Field(description="Seconds until the same would pass; 0 when it may.")
    reset_after: float = Field(description="Seconds until everything is there again.")
    delay: float = Field(description="Wait so long before going on, so that the flow is even.")
    shadow: bool = Field(description="A policy in shadow would have refused.")
    limits: list[LimitAnswer] = Field(description="The same of each limit, in their order.")
    undecided: list[str] = Field(
        description="Policies for concurrency that it falls under as well: they are not decided "
        "here, and hold nobody up. Without any, the list is empty."
    )
    headers: dict[str, str] = Field(
        description="For your own answer: RateLimit, RateLimit-Policy, Retry-After."
    )


class Answer(Schema):
    """One verdict for each request."""

    server: str
    version: int = Field(description="Of the published policies; 0: none are known.")
    allowed: bool = Field(description="Whether every request may pass.")
    verdicts: list[Verdict]


class Work(Made):
    """One request that is to be worked on: it needs a place of each policy for concurrency."""

    priority: Literal["critical", "high", "normal", "low"] = Field(
        "normal", description="Which places it may take, where a policy has priority classes."
    )


class Wish(Strict):
    """A request that asks for its places."""

    server: Slug = SERVER
    request: Work = Field(description="The request that you are about to work on.")


class Reference(Strict):
    """The places that a request holds."""

    server: Slug = SERVER
    lease: Annotated[str, StringConstraints(min_length=1, max_length=MOST_LEASE)] = Field(
        description="What acquire gave you, as it is."
    )


class PlaceVerdict(Verdict):
    """The decision about a place; times are seconds."""

    undecided: list[str] = Field(
        description="Policies for rates that it falls under as well: they are not decided here; "
        "check does. Without any, the list is empty."
    )


class Term(Schema):
    """How long places are held unless they are renewed."""

    seconds: float = Field(
        description="For so long they are held from now on, without renewing; 0 for none."
    )
    ends: datetime.datetime | None = Field(
        description="The same as a time, by the console's clock; null for none."
    )


class Place(Term):
    """Whether a request may be worked on, and what it holds."""

    server: str
    version: int = Field(description="Of the published policies; 0: none are known.")
    allowed: bool = Field(description="Whether you may go on.")
    lease: str = Field(
        description="Send it to renew and to release; empty when there is nothing to give back."
    )
    verdict: PlaceVerdict


class Renewed(Term):
    """Whether the places are held on."""

    server: str
    held: bool = Field(
        description="No: the places were lost, and others may have them. None of them is held."
    )


class Released(Schema):
    """What giving them back came to."""

    server: str
    released: bool = Field(description="No: they had ended before. Nothing is held either way.")
