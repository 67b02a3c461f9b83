"""Contracts: what a view takes, gives and asks of its caller, said once, at the view.

The doors read the role, the OpenAPI document all of it. A view without a contract has no route.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
from faust.web import View

from headrace.app.keys import Role
from headrace.learning.records.schema import CheckedFeatures
from headrace.learning.task import Label, Value

OF_TASK = "x-of-task"
"""Marks a part of a schema in whose place the document puts what the task declares."""

TaskFeatures = Annotated[CheckedFeatures, msgspec.Meta(extra_json_schema={OF_TASK: "features"})]
"""Features as a view takes them, which the document shows as the task declares them."""

TaskLabel = Annotated[Label, msgspec.Meta(extra_json_schema={OF_TASK: "label"})]
"""A label, which the document shows as the task's."""

StoredFeatures = Annotated[dict[str, Value | None], msgspec.Meta(extra_json_schema={OF_TASK: "stored"})]
"""The features of an entity, which the document shows as the task's stored ones."""

CONTRACT = "contract"
"""The attribute of a view's method that holds its contract."""

METHODS = ("get", "post", "put", "patch", "delete")

Method = TypeVar("Method", bound=Callable[..., object])


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """What one method of a view does.

    Parameters
    ----------
    role
        What a key must be allowed; None opens the view to everyone.
    gives
        The type of the answer.
    takes
        The type of the body; None if it takes none.
    status
        Of an answer that is no problem.
    problems
        Statuses of the problems that this method tells, beyond those of the doors: 401, 403 and 429, and with a body 400, 408, 413, 415.
    parameters
        Types of the parameters in the path and the query, by name; one in the path without a type is a string.
    """

    role: Role | None
    gives: Any
    takes: Any = None
    status: int = 200
    problems: tuple[int, ...] = ()
    parameters: Mapping[str, Any] = {}


class Operation(NamedTuple):
    """A method of a view at its path."""

    path: str
    method: str
    contract: Contract
    summary: str
    view: str


def contract(
    *,
    role: Role | None,
    gives: Any,
    takes: Any = None,
    status: int = 200,
    problems: tuple[int, ...] = (),
    parameters: Mapping[str, Any] | None = None,
) -> Callable[[Method], Method]:
    """Say what a view's method does; see `Contract`. The first line of the method's docstring is its summary.

    Examples
    --------
    >>> class Greeting:
    ...     @contract(role=None, gives=str)
    ...     async def get(self, request):
    ...         "Say hello."
    >>> list(operations({"/hello": Greeting}))[0].contract.gives
    <class 'str'>
    """
    said = Contract(role=role, gives=gives, takes=takes, status=status, problems=problems, parameters=parameters or {})

    def note(method: Method) -> Method:
        setattr(method, CONTRACT, said)
        return method

    return note


def operations(routes: Mapping[str, type]) -> Iterator[Operation]:
    """Every method of every route with its contract; TypeError for a method that has none."""
    for path, view in routes.items():
        for name in METHODS:
            method = getattr(view, name, None)
            if method is None or method is getattr(View, name):
                continue  # Faust's own refuses
            said = getattr(method, CONTRACT, None)
            if said is None:
                raise TypeError(f"{view.__name__}.{name} has no contract: decorate it with @contract(...)")
            yield Operation(path, name, said, (method.__doc__ or "").strip().split("\n")[0], view.__name__)
