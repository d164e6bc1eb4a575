"""Real servers for tests: started on free ports, stopped, paused, killed and restarted at will.

One server: ``RedisProcess`` and ``running``. Several: ``Cluster`` (three primaries), ``Watched``
(a primary, a replica and three Sentinels), ``replica_of``. Encrypted: ``Certificates`` and
``tls_arguments``. States of trouble, each a context manager or one call: ``full``, ``loading``,
``busy``, ``unsaveable`` (and ``saveable`` again), ``restricted``.
"""

from tests.servers.certificates import Certificates, tls_arguments
from tests.servers.process import REDIS, VALKEY, RedisProcess, free_port, running, until
from tests.servers.topologies import Cluster, ClusterNode, Watched, replica_of
from tests.servers.troubles import busy, full, loading, restricted, saveable, unsaveable

__all__ = [
    "REDIS", "VALKEY", "Certificates", "Cluster", "ClusterNode", "RedisProcess", "Watched", "busy",
    "free_port", "full", "loading", "replica_of", "restricted", "running", "saveable",
    "tls_arguments", "unsaveable", "until",
]  # fmt: skip
