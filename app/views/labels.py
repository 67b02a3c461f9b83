"""`POST /v1/{task}/labels`: append the labels of questions to the event log."""

import msgspec

from app.views.samples import Samples
from learning.records import Record


class Labels(Samples):
    """Labels for questions that were logged; one goes to the shard of its question by the same key, or by the id."""

    noun = "label"
    shape = 'Send {"id": ..., "label": ...}, and the key of the question if it had one.'

    @staticmethod
    def is_wanted(record: Record) -> bool:
        """Whether this is a label: an id and a label, without features."""
        return record.features is msgspec.UNSET

    @staticmethod
    def key_of(record: Record) -> str | None:
        """The id places a label whose question had no key."""
        return None if record.id is msgspec.UNSET else record.id
