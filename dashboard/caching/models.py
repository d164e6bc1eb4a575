"""The models of every room of the area, where Django looks for them."""

from dashboard.caching.eviction.models import EvictionChange as EvictionChange
from dashboard.caching.namespaces.models import CachePolicy as CachePolicy
from dashboard.caching.namespaces.models import CachePolicyVersion as CachePolicyVersion
from dashboard.caching.namespaces.models import CachePublication as CachePublication
