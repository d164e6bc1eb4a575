"""The models of every room of rate limits, where Django looks for them."""

from dashboard.limits.policies.models import LimitPolicy as LimitPolicy
from dashboard.limits.policies.models import PendingChange as PendingChange
from dashboard.limits.policies.models import PolicyVersion as PolicyVersion
from dashboard.limits.publishing.models import Publication as Publication
