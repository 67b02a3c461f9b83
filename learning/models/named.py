"""A model of the user's own is built only if the settings name its module, whatever a log, a snapshot or a request says."""

from collections.abc import Collection

from headrace.learning.errors import ModelError
from headrace.learning.task import Value, modules_of, name_of


def require_named(model: str | dict[str, Value], modules: Collection[str]) -> None:
    """Check that a model may be built.

    Parameters
    ----------
    model
        What it is made of, as in a task's `model`.
    modules
        The modules of the user's own that the settings name.

    Raises
    ------
    ModelError
        It is of a module that they do not name.

    Examples
    --------
    >>> require_named("logistic", ())
    >>> require_named("shop.models:make", ["shop.models"])
    >>> require_named({"use": "os:system", "command": "true"}, ["shop.models"])
    Traceback (most recent call last):
    ...
    headrace.learning.errors.ModelError: the log asks for the model 'os:system', whose module 'os' the settings do not name. If it is yours: add 'os' to worker.modules in headrace.toml, and restart.
    """
    if strange := [module for module in modules_of(model) if module not in modules]:
        what = f"the log asks for the model '{name_of(model)[:80]}', whose module '{strange[0][:80]}' the settings do not name."
        raise ModelError(
            what, f"If it is yours: add '{strange[0][:80]}' to worker.modules in headrace.toml, and restart."
        )
