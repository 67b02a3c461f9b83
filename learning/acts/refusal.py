"""The refusal of an act: the shard cannot do it as it is."""


class Refusal(Exception):
    """An act that cannot be carried out as the shard is; the text says why, and what to do."""
