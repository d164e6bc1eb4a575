"""Streams: entries added and read, groups of workers that lose nothing, dead letters."""

from redisops.streams.dead import DeadLetter, dead_fields, dead_key, letter, letters
from redisops.streams.model import Entry, entries, order
from redisops.streams.producer import AsyncProducer, BufferFull, Producer, Report, Unsent
from redisops.streams.stream import AsyncStream, Stream
from redisops.streams.work import Figures, Reject
from redisops.streams.worker import AsyncConsumerGroup, ConsumerGroup

__all__ = [
    "AsyncConsumerGroup",
    "AsyncProducer",
    "AsyncStream",
    "BufferFull",
    "ConsumerGroup",
    "DeadLetter",
    "Entry",
    "Figures",
    "Producer",
    "Reject",
    "Report",
    "Stream",
    "Unsent",
    "dead_fields",
    "dead_key",
    "entries",
    "letter",
    "letters",
    "order",
]
