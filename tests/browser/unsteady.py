"""Samples of a rule that can be turned round, so that a model that has learned it is suddenly wrong."""

import random


def samples(count, seed, *, flipped=False):
    dice = random.Random(seed)
    for number in range(count):
        x = dice.gauss(0, 1)
        yield {"id": f"{seed}-{number}", "features": {"x": x, "bias": 1.0}, "label": (x > 0) != flipped}
