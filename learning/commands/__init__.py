"""Commands: the functions that carry out control records of the event log."""

from headrace.learning.acts.job import Job, ask_job
from headrace.learning.catalogue import Catalogue
from headrace.learning.commands.cancel import cancel
from headrace.learning.commands.checkpoint import Checkpoint, checkpoint
from headrace.learning.commands.command import Command
from headrace.learning.commands.define import Define, redefine
from headrace.learning.commands.install import install, note_outcome
from headrace.learning.commands.pause import Pause, pause, resume
from headrace.learning.commands.pin import Pin, pin
from headrace.learning.commands.promote import Promote, promote
from headrace.learning.commands.react import React, react
from headrace.learning.commands.rollback import Rollback, rollback
from headrace.learning.commands.tick import Tick, tick
from headrace.learning.commands.traffic import Split, split
from headrace.learning.promises import Cancel, Install, Outcome, Resume

__all__ = ["COMMANDS", "Command"]

COMMANDS: Catalogue[Command] = Catalogue(
    "command",
    {
        "tick": Command(Tick, tick),
        "define": Command(Define, redefine),
        "checkpoint": Command(Checkpoint, checkpoint),
        "pin": Command(Pin, pin),
        "rollback": Command(Rollback, rollback),
        "promote": Command(Promote, promote),
        "pause": Command(Pause, pause),
        "resume": Command(Resume, resume),
        "install": Command(Install, install),
        "outcome": Command(Outcome, note_outcome),
        "job": Command(Job, ask_job),
        "cancel": Command(Cancel, cancel),
        "react": Command(React, react),
        "traffic": Command(Split, split),
    },
)
"""Each command that a control record may name, with what it may have beside and the function that carries it out."""
