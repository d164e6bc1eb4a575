"""Pub/sub: publish, subscribe with honest gaps, and see which channels have subscribers."""

from redisops.pubsub.channels import (
    AsyncChannels,
    ChannelList,
    Channels,
    Overview,
    channels,
    subscribers,
)
from redisops.pubsub.ears import AsyncEar, Ear
from redisops.pubsub.model import Gap, Message
from redisops.pubsub.publisher import AsyncPublisher, Publisher
from redisops.pubsub.sampling import AsyncSampler, Sample, Sampler
from redisops.pubsub.subscriber import AsyncSubscriber, Subscriber

__all__ = [
    "AsyncChannels",
    "AsyncEar",
    "AsyncPublisher",
    "AsyncSampler",
    "AsyncSubscriber",
    "ChannelList",
    "Channels",
    "Ear",
    "Gap",
    "Message",
    "Overview",
    "Publisher",
    "Sample",
    "Sampler",
    "Subscriber",
    "channels",
    "subscribers",
]
