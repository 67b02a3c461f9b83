"""Jobs: models that are made from the log beside the fold, and installed in it without a record lost or learned twice."""

from typing import NamedTuple

from headrace.learning.catalogue import Catalogue


class JobKind(NamedTuple):
    """What a job is for.

    Parameters
    ----------
    summary
        One line for people.
    """

    summary: str


JOBS: Catalogue[JobKind] = Catalogue(
    "job",
    {
        "retrain": JobKind("Learn the log anew, or a part of it, with the same or another model."),
        "warm_start": JobKind("Learn a range of the log several times, and once what has come after it."),
        "unlearn": JobKind("Learn the log anew without some of its records."),
        "migrate": JobKind("Make the same model anew, after another version of a library."),
    },
)
"""What a job may be for."""
