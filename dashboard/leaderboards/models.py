"""The models of every room of leaderboards, where Django looks for them."""

from dashboard.leaderboards.boards.models import Board as Board
from dashboard.leaderboards.boards.models import Import as Import
from dashboard.leaderboards.seasons.models import Moment as Moment
from dashboard.leaderboards.seasons.models import Season as Season
