"""How we talk to a server: one URL for every topology, bounded in time, measured."""

from redisops.connection.async_client import AsyncClient
from redisops.connection.async_cluster import AsyncClusterClient
from redisops.connection.client import Client
from redisops.connection.cluster import ClusterClient
from redisops.connection.cost import Cost, measure
from redisops.connection.factory import connect, connect_async
from redisops.connection.features import Features
from redisops.connection.options import Timeouts
from redisops.connection.replicas import Replica
from redisops.connection.tls import TLS
from redisops.connection.urls import Endpoint, parse_url, redacted

__all__ = [
    "TLS",
    "AsyncClient",
    "AsyncClusterClient",
    "Client",
    "ClusterClient",
    "Cost",
    "Endpoint",
    "Features",
    "Replica",
    "Timeouts",
    "connect",
    "connect_async",
    "measure",
    "parse_url",
    "redacted",
]
