"""Makes a detector by its name and parameters."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast

from headrace.learning.catalogue import Catalogue
from headrace.learning.drift.detector import Detector
from headrace.learning.errors import DetectorError
from headrace.learning.parameters import build_with

DETECTORS: Catalogue[type[Detector]] = Catalogue("detector", {})
"""Each detector that an arm may have, with its class. The package enters the rows, because a vote makes detectors and is one."""


def make_detector(spec: str | Mapping[str, Any], among: int = 1) -> Detector:
    """Make a detector.

    Parameters
    ----------
    spec
        A name of the catalogue, or a table with the name as `use` and the detector's parameters.
    among
        The number of series that are tested side by side, for a detector that corrects itself for that.

    Raises
    ------
    DetectorError
        There is no such detector, or a parameter is unknown or has a wrong value.

    Examples
    --------
    >>> make_detector({"use": "adwin", "delta": 0.01}).delta
    0.01
    >>> make_detector("adwim")
    Traceback (most recent call last):
    ...
    headrace.learning.errors.DetectorError: there is no detector 'adwim'. Did you mean 'adwin'?
    """
    parameters = {} if isinstance(spec, str) else {name: value for name, value in spec.items() if name != "use"}
    name = spec if isinstance(spec, str) else spec.get("use")
    if not isinstance(name, str):
        raise DetectorError("the detector has no name.", f"Set use to one of {', '.join(DETECTORS)}.")
    if name not in DETECTORS:
        raise DetectorError(*DETECTORS.describe_unknown(name))
    make = cast("Callable[..., Detector]", DETECTORS[name])
    if among > 1 and "among" in inspect.signature(make).parameters:
        parameters.setdefault("among", among)
    required = [one.name for one in inspect.signature(make).parameters.values() if one.default is one.empty]
    lacking = [parameter for parameter in required if parameter not in parameters]
    if lacking:
        raise DetectorError(f"the detector '{name}' has no {lacking[0]}.", f"Set {lacking[0]}.")
    return build_with(f"the detector '{name}'", make, parameters, DetectorError)
