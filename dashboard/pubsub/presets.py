"""Whose channels are whose: what known libraries publish, so that it can be muted."""

from __future__ import annotations

import re
from dataclasses import dataclass

from redisops.limits.document import CHANNEL


@dataclass(frozen=True)
class Preset:
    """Channels of one library; ``pattern`` matches a whole name, ``source`` says whose it is."""

    code: str
    label: str
    pattern: re.Pattern[bytes]
    source: str


PRESETS = (
    # kombu's fanout exchanges "/{db}.celeryev/worker.heartbeat", "/{db}.celery.pidbox", and the
    # results "celery-task-meta-{id}"; a global_keyprefix stands before all of them.
    Preset("celery", "Celery",
           re.compile(rb".*(?:/\d+\.(?:celery|.*\.pidbox).*|celery-task-meta-.*)", re.DOTALL),
           "kombu: fanout exchanges; Celery: results"),
    # channels_redis: "{prefix}__group__{name}" and "{prefix}specific.{32 hex digits}".
    Preset("channels", "Django Channels",
           re.compile(rb".*(?:__group__.+|specific\.[0-9a-f]{32}.*)", re.DOTALL),
           "channels_redis: pub/sub layer"),
    Preset("keyspace", "Keyspace notifications",
           re.compile(rb"__key(?:space|event)@\d+__:.*", re.DOTALL),
           "Redis: notify-keyspace-events"),
    Preset("limits", "Redisops limits", re.compile(re.escape(CHANNEL) + rb".*", re.DOTALL),
           "redisops: published policies"),
    Preset("services", "Service announcements",
           re.compile(rb"(?:service_events:|svc:).*", re.DOTALL), "redisops: services"),
    Preset("sidekiq", "Sidekiq and Action Cable",
           re.compile(rb"(?:action_cable|_action_cable_internal|sidekiq).*", re.DOTALL),
           "Rails: Action Cable"),
    Preset("socketio", "Socket.IO", re.compile(rb"socket\.io.*", re.DOTALL), "socket.io-redis"),
    Preset("sentinel", "Sentinel", re.compile(rb"__sentinel__:.*", re.DOTALL), "Redis Sentinel"),
)  # fmt: skip


def kind_of(channel: bytes) -> str:
    """The code of the library whose channel this looks like, or ""."""
    start = channel[:300]
    return next((one.code for one in PRESETS if one.pattern.fullmatch(start)), "")
