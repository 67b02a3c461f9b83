import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

from river.base import Estimator
from river.metrics.base import Metric

def progressive_val_score(
    dataset: Iterator[tuple[dict[str, Any], bool | int | float | str]],
    model: Estimator,
    metric: Metric,
    moment: str | Callable[[dict[str, Any]], int] | None = None,
    delay: str | int | dt.timedelta | Callable[[dict[str, Any], bool | int | float | str], int] | None = None,
    print_every: int = 0,
    show_time: bool = False,
    show_memory: bool = False,
    **print_kwargs: object,
) -> Metric: ...
