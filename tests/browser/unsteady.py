"""Samples of a rule that can be turned round, so that a model that has learned it is suddenly wrong; and samples of the other kinds of tasks."""

import random


def samples(count, seed, *, flipped=False):
    dice = random.Random(seed)
    for number in range(count):
        x = dice.gauss(0, 1)
        yield {"id": f"{seed}-{number}", "features": {"x": x, "bias": 1.0}, "label": (x > 0) != flipped}


def sorts(count):
    """Samples of twelve labels, the most frequent of which looks like HTML."""
    dice = random.Random(1)
    for _ in range(count):
        sort = min(int(dice.expovariate(0.4)), 11)
        yield {"features": {"x": dice.gauss(sort, 0.5)}, "label": f"sort {sort}" if sort else "<script>0</script>"}


def sizes(count):
    dice = random.Random(1)
    for _ in range(count):
        x = dice.gauss(0, 1)
        yield {"features": {"x": x, "bias": 1.0}, "label": 3 * x + dice.gauss(5, 1)}
