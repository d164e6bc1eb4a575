"""Policies of rate limits as values; nothing here talks to Redis.

``Policy`` says which requests, counted for whom, how many, and what happens then; ``problems``
explains what is wrong with one, ``sentence`` tells in plain English what it does. ``Document`` is
what a console publishes and services hold.
"""

from redisops.limits.document import Document, DocumentError
from redisops.limits.policy import FAILURES, MODES, PRIORITIES, Ban, Exemption, Policy
from redisops.limits.problems import Problem, problems
from redisops.limits.sentences import sentence

__all__ = [
    "FAILURES",
    "MODES",
    "PRIORITIES",
    "Ban",
    "Document",
    "DocumentError",
    "Exemption",
    "Policy",
    "Problem",
    "problems",
    "sentence",
]
