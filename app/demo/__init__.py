"""The demo: acts that are played one after the other on one stage, each in a file of its own."""

from headrace.app.demo.act import Act
from headrace.app.demo.killed import Killed
from headrace.app.demo.later import LaterLabels

ACTS: tuple[type[Act], ...] = (Killed, LaterLabels)
"""All acts, in the order in which they are played."""
