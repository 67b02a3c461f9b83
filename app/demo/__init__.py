"""The demo: plays acts one after the other, each in a file of its own."""

from headrace.app.demo.act import Act
from headrace.app.demo.changed import Changed
from headrace.app.demo.compared import Compared
from headrace.app.demo.killed import Killed
from headrace.app.demo.later import LaterLabels

ACTS: tuple[type[Act], ...] = (Killed, LaterLabels, Changed, Compared)
"""All acts, in the order of playing."""
