"""The models of every room of services, where Django looks for them."""

from dashboard.services.checks.models import ServiceCheck as ServiceCheck
from dashboard.services.history.models import Change as Change
from dashboard.services.history.models import Collecting as Collecting
from dashboard.services.history.models import Followed as Followed
from dashboard.services.notices.models import Delivery as Delivery
from dashboard.services.notices.models import Mute as Mute
from dashboard.services.notices.models import Rule as Rule
from dashboard.services.notices.models import Standing as Standing
from dashboard.services.notices.models import Tally as Tally
