"""The error tree of Headrace: each error has a code, a cause and a remedy."""

from headrace.learning.codes import ERRORS, ErrorCode, RefusalCode


class HeadraceError(Exception):
    """An error that a user can act upon; every error that Headrace raises on purpose is one.

    The code of a subclass must have a row in `ERRORS`: a subclass without one raises TypeError when it is defined.

    Parameters
    ----------
    what
        What happened and why: one sentence that names the task, the settings key or the record.
    remedy
        What to do about it: one imperative sentence.

    Examples
    --------
    >>> print(SettingsError("headrace.toml: unknown key 'brokr'.", "Did you mean 'broker'?"))
    headrace.toml: unknown key 'brokr'. Did you mean 'broker'?
    """

    code: str = "error"

    def __init__(self, what: str, remedy: str = ""):
        self.what = what
        self.remedy = remedy
        super().__init__(what, remedy)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.code not in ERRORS:
            msg = f"{cls.__name__}: the code '{cls.code}' has no row in ERRORS"
            raise TypeError(msg)

    def __str__(self) -> str:
        return f"{self.what} {self.remedy}".rstrip()


class SettingsError(HeadraceError):
    """`headrace.toml` has an unknown key or a value that cannot be used."""

    code = "settings"


class ModelError(HeadraceError):
    """A model cannot be built from its settings, or answers in a way that its task does not allow."""

    code = "model"


class DetectorError(HeadraceError):
    """A detector cannot be made from its settings."""

    code = "detector"


class ReactionError(HeadraceError):
    """A reaction cannot be made from its settings."""

    code = "reaction"


class RecordError(HeadraceError):
    """A record is invalid and must not reach a model; whoever catches the error sends the record to quarantine.

    Parameters
    ----------
    what, remedy
        As for `HeadraceError`.
    code
        The reason for programs: a row of `REFUSALS`.

    Examples
    --------
    >>> RecordError("the record has neither 'features' nor 'label'.", code="incomplete").code
    'incomplete'
    """

    code: RefusalCode = "record"

    def __init__(self, what: str, remedy: str = "", code: RefusalCode = "record"):
        super().__init__(what, remedy)
        self.code = code


class MissingFeatureError(RecordError):
    """A record lacks a declared feature, which a mapping may have failed to find."""


class SnapshotError(HeadraceError):
    """A snapshot was refused: it is damaged, not authentic, or made by another configuration or other library versions."""

    code = "snapshot"


class DamagedError(SnapshotError):
    """A snapshot is damaged, or not signed with the configured snapshot key. Recovery tries an older snapshot instead."""


class KeylessError(SnapshotError):
    """A snapshot is signed, and this worker has no snapshot key. Recovery stops and uses no other snapshot."""


class VersionError(HeadraceError):
    """A version that the state names is not among the versions that were saved."""

    code = "version"


class PackageError(HeadraceError):
    """The file of a version was refused: it is damaged, not signed with the configured key, or holds no model for the task."""

    code = "package"


class TopicError(HeadraceError):
    """A topic is missing, or its settings or partitions are not those that the worker needs."""

    code: ErrorCode = "topic"


class LogError(HeadraceError):
    """The event log lacks the message that a shard must fold next, or is not the log that the shard has folded."""

    code = "log"


class DefinitionError(HeadraceError):
    """The event log was folded from its beginning by another definition than the one by which this fold began."""

    code = "definition"


class BrokerError(HeadraceError):
    """The broker cannot be reached, started or used."""

    code = "broker"


class StoreError(HeadraceError):
    """A local database failed: the disk is full, another process holds its lock, or it is damaged.

    The caller closes the database and opens it again. Nothing is lost: the changelog topic has all that the database had.
    """

    code = "store"


class ReplacedError(HeadraceError):
    """A changelog topic is not the one that a database was filled from: it was deleted and created again, or has lost its end."""

    code = "changelog"
