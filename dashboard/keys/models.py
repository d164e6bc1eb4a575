"""The models of every room of the key browser, where Django looks for them."""

from dashboard.keys.bulk.models import KeyChunk as KeyChunk
from dashboard.keys.bulk.models import KeyList as KeyList
from dashboard.keys.saved.models import RecentKey as RecentKey
from dashboard.keys.saved.models import SavedView as SavedView
from dashboard.keys.survey.models import Pass as Pass
from dashboard.keys.transfer.models import Archive as Archive
