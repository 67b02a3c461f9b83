"""Contracts: declare at a method of a view its role, the types of its body and answer, and its problems.

The doors read the role, and the OpenAPI document is made from the whole contract. A method without a contract is an error when the
routes are read.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
from faust.web import View

from headrace.app.keys import Role
from headrace.learning.records.schema import CheckedFeatures
from headrace.learning.task import Label, Value

OF_TASK = "x-of-task"
"""Marks a part of a schema that the document replaces with the declarations of the task."""

TaskFeatures = Annotated[CheckedFeatures, msgspec.Meta(extra_json_schema={OF_TASK: "features"})]
"""Features as a view takes them. The document shows them as the task declares them."""

TaskLabel = Annotated[Label, msgspec.Meta(extra_json_schema={OF_TASK: "label"})]
"""A label. The document shows the labels that the task declares."""

StoredFeatures = Annotated[dict[str, Value | None], msgspec.Meta(extra_json_schema={OF_TASK: "stored"})]
"""The stored features of an entity. The document shows those that the task declares."""

TaskMetric = Annotated[str, msgspec.Meta(extra_json_schema={OF_TASK: "metric"})]
"""The name of a metric. The document shows those of the task's kind."""

CONTRACT = "contract"
"""The attribute of a view's method that holds its contract."""

METHODS = ("get", "post", "put", "patch", "delete")

Method = TypeVar("Method", bound=Callable[..., object])


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """The contract of one method of a view.

    Parameters
    ----------
    role
        The role that a caller needs; None opens the method to everyone.
    gives
        The type of the answer.
    takes
        The type of the body; None if it takes none.
    status
        The status of an answer that is not a problem.
    media
        The media type of that answer.
    problems
        The statuses of this method's problems. The doors add 401, 403 and 429, and 400, 408, 413 and 415 if there is a body.
    parameters
        The types of the parameters in the path and the query, by name; a parameter of the path without a type is a string.
    """

    role: Role | None
    gives: Any
    takes: Any = None
    status: int = 200
    media: str = "application/json"
    problems: tuple[int, ...] = ()
    parameters: Mapping[str, Any] = {}


class Operation(NamedTuple):
    """A method of a view, with its path and its contract."""

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
    media: str = "application/json",
    problems: tuple[int, ...] = (),
    parameters: Mapping[str, Any] | None = None,
) -> Callable[[Method], Method]:
    """Decorate a method of a view with its contract; see `Contract`. The first line of the method's docstring is the summary.

    Examples
    --------
    >>> class Greeting:
    ...     @contract(role=None, gives=str)
    ...     async def get(self, request):
    ...         "Say hello."
    >>> list(operations({"/hello": Greeting}))[0].contract.gives
    <class 'str'>
    """
    declared = Contract(
        role=role,
        gives=gives,
        takes=takes,
        status=status,
        media=media,
        problems=problems,
        parameters=parameters or {},
    )

    def attach(method: Method) -> Method:
        setattr(method, CONTRACT, declared)
        return method

    return attach


def operations(routes: Mapping[str, type]) -> Iterator[Operation]:
    """Yield every method of every route with its contract; TypeError if a method has none."""
    for path, view in routes.items():
        for name in METHODS:
            method = getattr(view, name, None)
            if method is None or method is getattr(View, name):
                continue  # Faust's own method refuses the request
            declared = getattr(method, CONTRACT, None)
            if declared is None:
                raise TypeError(f"{view.__name__}.{name} has no contract: decorate it with @contract(...)")
            yield Operation(path, name, declared, (method.__doc__ or "").strip().split("\n")[0], view.__name__)
