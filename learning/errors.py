"""The error tree of Headrace: each error has a code, a cause and a remedy."""

from headrace.learning.codes import ERRORS, ErrorCode, RefusalCode


class HeadraceError(Exception):
    """An error that a user can act upon. The code of a subclass has a row in `ERRORS`; one that has none is refused at import.

    Parameters
    ----------
    what
        What happened and why, one sentence that names the task, key or record concerned.
    remedy
        What to do about it, an imperative sentence.

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
            msg = f"{cls.__name__}: there is no error '{cls.code}' in the table of codes"
            raise TypeError(msg)

    def __str__(self) -> str:
        return f"{self.what} {self.remedy}".rstrip()


class SettingsError(HeadraceError):
    """`headrace.toml` cannot be used as it is."""

    code = "settings"


class ModelError(HeadraceError):
    """A model cannot be built as asked."""

    code = "model"


class RecordError(HeadraceError):
    """A record that must not reach a model; it goes to quarantine.

    Parameters
    ----------
    what, remedy
        As for `HeadraceError`.
    code
        Why, for programs.

    Examples
    --------
    >>> RecordError("the record has neither 'features' nor 'label'.", code="incomplete").code
    'incomplete'
    """

    code: RefusalCode = "record"

    def __init__(self, what: str, remedy: str = "", code: RefusalCode = "record"):
        super().__init__(what, remedy)
        self.code = code


class SnapshotError(HeadraceError):
    """A snapshot was refused: damaged, not authentic, or made by other makers."""

    code = "snapshot"


class DamagedError(SnapshotError):
    """A snapshot cannot be read: it is damaged, or not signed with the configured key. An older one is used instead."""


class KeylessError(SnapshotError):
    """A snapshot is signed, and no key is configured here. No other snapshot is used in its place."""


class TopicError(HeadraceError):
    """A topic is missing or is not what the worker needs."""

    code: ErrorCode = "topic"


class LogError(HeadraceError):
    """The event log no longer has what a shard must fold next."""

    code = "log"


class BrokerError(HeadraceError):
    """The broker cannot be reached, started or used."""

    code = "broker"


class StoreError(HeadraceError):
    """A local database failed: the disk is full, another process holds its lock, or it is damaged.

    Whoever meets it closes the database and opens it anew. The changelog topic has all that the database had.
    """

    code = "store"


class ReplacedError(HeadraceError):
    """A changelog topic is not the one that was followed: it was deleted and made anew, or has lost its end."""

    code = "changelog"
