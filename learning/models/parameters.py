"""The ranges of model parameters: a value outside its range is refused before a model is built."""

from typing import Annotated

from msgspec import Meta

# The upper ends exclude infinity, and values that nobody can mean.
Positive = Annotated[float, Meta(gt=0, le=1e9)]
NotNegative = Annotated[float, Meta(ge=0, le=1e9)]
Share = Annotated[float, Meta(ge=0, lt=1)]
PositiveShare = Annotated[float, Meta(gt=0, le=1)]
Count = Annotated[int, Meta(ge=1, le=10**9)]
Trees = Annotated[int, Meta(ge=1, le=1_000)]
Seed = Annotated[int, Meta(ge=0, le=2**32 - 1)]
