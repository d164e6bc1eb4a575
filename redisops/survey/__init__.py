"""Count every key of a server by folder, measure some, and say how sure the figures are."""

from redisops.survey.estimates import Estimate
from redisops.survey.figures import Figures, FolderFigures
from redisops.survey.samples import FREQUENCY_ENDS, IDLE_ENDS, SIZE_ENDS, TTL_ENDS
from redisops.survey.standing import Progress
from redisops.survey.walking import AsyncSurvey, Survey

__all__ = [
    "FREQUENCY_ENDS", "IDLE_ENDS", "SIZE_ENDS", "TTL_ENDS", "AsyncSurvey", "Estimate", "Figures",
    "FolderFigures", "Progress", "Survey",
]  # fmt: skip
