"""The compiled loops, by numba: the arithmetic of River and of the tallies for many rows, in the same order, so that every result has the same bits.

Without numba this module cannot be imported; see `learning/kernel/__init__.py`. No loop may be compiled with `fastmath`, which changes the order of
operations. Exponents (`HALF`, `TWO`, `POWERS`) are arguments, and no constants, because a compiler puts `sqrt(x)` in the place of `x ** 0.5`, and
Python does not: of a thousand numbers, one has another last bit.
"""

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

HALF, TWO = 0.5, 2.0

POWERS = np.array([HALF, TWO, -1.0])

FAR = 1e300
"""The squares of FTRL must stay below it."""

SIGN, NUMBER = 0, 1
"""What a label is to a linear model: a side, -1 or 1, for the log loss; or a number, for the squared loss."""

PLAIN, MOMENTUM, FTRL = 0, 1, 2
"""How gradients change weights."""


@njit(cache=True)
def scale_rows(
    starts: Integers,
    columns: Integers,
    values: Floats,
    is_scaled: Flags,
    counts: Integers,
    means: Floats,
    variances: Floats,
    half: float,
    before: Floats,
    after: Floats,
) -> int:
    """Scale rows, one after the other, as `Scale` does; return how many. It stops before a row that needs the general way: nothing of that row is learned.

    Parameters
    ----------
    starts, columns, values
        Row i has the values from `starts[i]` to before `starts[i + 1]`, each of a column.
    is_scaled
        Whether a column is of numbers, which are scaled.
    counts, means, variances
        The state of each column, which is changed.
    half
        `HALF`.
    before, after
        Become the scaled values: as they are predicted, and as they are learned.
    """
    rows = len(starts) - 1
    longest = 0
    for i in range(rows):
        longest = max(longest, starts[i + 1] - starts[i])
    new_means, new_variances = np.empty(longest), np.empty(longest)
    for i in range(rows):
        first, end = starts[i], starts[i + 1]
        for at in range(first, end):
            j = columns[at]
            value = values[at]
            if not is_scaled[j]:
                before[at] = after[at] = value
                continue
            mean, variance = means[j], variances[j]
            if variance < 0.0:
                return i
            before[at] = (value - mean) / variance**half if variance != 0.0 else 0.0
            count = counts[j] + 1
            if count == 1:
                mean, variance = 0.0 + value, 0.0
                after[at] = 0.0
            else:
                off = value - mean
                mean += off / count
                variance += (off * (value - mean) - variance) / count
                if variance < 0.0:
                    return i
                after[at] = (value - mean) / variance**half if variance != 0.0 else 0.0
            new_means[at - first], new_variances[at - first] = mean, variance
        for at in range(first, end):
            j = columns[at]
            if is_scaled[j]:
                counts[j] += 1
                means[j], variances[j] = new_means[at - first], new_variances[at - first]
    return rows


@njit(cache=True)
def descend_rows(  # noqa: C901, PLR0912, PLR0915 a compiled loop calls nothing
    loss: int,
    way: int,
    starts: Integers,
    columns: Integers,
    before: Floats,
    after: Floats,
    labels: Floats,
    weights: Floats,
    more: Floats,
    settings: Floats,
    powers: Floats,
    raws: Floats,
) -> int:
    """Predict and learn rows by gradient descent, one after the other; return how many. It stops before a row that needs the general way.

    Parameters
    ----------
    loss
        `SIGN` or `NUMBER`.
    way
        `PLAIN`, `MOMENTUM` or `FTRL`.
    starts, columns, before, after
        As for `scale_rows`.
    labels
        The label of each row: 0 or 1 for `SIGN`.
    weights, more
        The weight of each column, and two more numbers that the optimizer keeps of it; they are changed.
    settings
        The intercept, which is changed, the learning rate of the intercept, the strength of the L2 penalty, and the largest gradient; then those of the
        optimizer: the learning rate and the share of the last step, or alpha, beta, and the strengths of its own L1 and L2 penalties.
    powers
        `POWERS`.
    raws
        Becomes the sum of weights and values for each row, before it was learned.
    """
    rows = len(starts) - 1
    half, two, minus = powers
    intercept, intercept_rate, l2, clip = settings[0], settings[1], settings[2], settings[3]
    rate, share = settings[4], settings[5]
    alpha, beta, own_l1, own_l2 = settings[4], settings[5], settings[6], settings[7]
    for i in range(rows):
        first, end = starts[i], starts[i + 1]
        raw = 0.0
        for at in range(first, end):
            raw += weights[columns[at]] * before[at]
        raw += intercept
        if not math.isfinite(raw):
            settings[0] = intercept
            return i
        raws[i] = raw
        total = 0.0
        for at in range(first, end):
            total += weights[columns[at]] * after[at]
        raw = total + intercept
        if loss == SIGN:
            side = 1.0 if labels[i] != 0.0 else -1.0
            z = raw * side
            if z > 18.0:
                slope = math.exp(-z) * -side
            elif z < -18.0:
                slope = -side
            else:
                slope = -side / (math.exp(z) + 1.0)
        else:
            slope = 2.0 * (raw - labels[i])
        slope = min(slope, clip)
        slope = max(slope, -clip)
        if way == FTRL:
            for at in range(first, end):
                if not (after[at] * slope) ** two < FAR:  # Python would raise an error
                    settings[0] = intercept
                    return i
        intercept -= intercept_rate * slope
        for at in range(first, end):
            j = columns[at]
            gradient = after[at] * slope
            if l2 != 0.0:
                gradient += l2 * weights[j]
            if way == PLAIN:
                weights[j] -= rate * gradient
            elif way == MOMENTUM:
                more[0, j] = share * more[0, j] + rate * gradient
                weights[j] -= more[0, j]
            else:
                z, n = more[0, j], more[1, j]
                if abs(z) > own_l1:
                    sign = 1.0 if z > 0.0 else -1.0
                    weights[j] = -(((beta + n**half) / alpha + own_l2) ** minus) * (z - sign * own_l1)
                square = gradient**two
                step = ((n + square) ** half - n**half) / alpha
                more[0, j] = z + (gradient - step * weights[j])
                more[1, j] = n + square
    settings[0] = intercept
    return rows


@njit(cache=True)
def add_up(
    first: int,
    end: int,
    columns: Integers,
    values: Floats,
    ranks: Integers,
    size: int,
    weights: Floats,
    is_compensated: bool,
) -> float:
    """Add up the products of values and weights of a row as River's `dot` of two dicts does: in the order of the shorter dict.

    Parameters
    ----------
    first, end
        Where the values of the row begin and end.
    columns, values, weights
        The column of each value, the values, and the weight of each column.
    ranks, size
        The place of each column in the dict of weights, -1 if it is not there; and the length of that dict.
    is_compensated
        Whether `sum` compensates for rounding, as it does since Python 3.12.
    """
    order = np.arange(first, end)
    if end - first >= size:
        for k in range(1, len(order)):
            at = order[k]
            place = k
            while place > 0 and ranks[columns[order[place - 1]]] > ranks[columns[at]]:
                order[place] = order[place - 1]
                place -= 1
            order[place] = at
    total = lost = 0.0
    for at in order:
        if ranks[columns[at]] < 0:
            continue
        x = values[at] * weights[columns[at]]
        new = total + x
        if is_compensated:
            if abs(total) >= abs(x):
                lost += (total - new) + x
            else:
                lost += (x - new) + total
        total = new
    return total + lost if lost != 0.0 and math.isfinite(lost) else total


@njit(cache=True)
def pass_rows(
    starts: Integers,
    columns: Integers,
    before: Floats,
    after: Floats,
    norms: Floats,
    labels: Floats,
    weights: Floats,
    ranks: Integers,
    settings: Floats,
    mode: int,
    is_compensated: bool,
    two: float,
    raws: Floats,
) -> int:
    """Predict and learn rows as the passive-aggressive classifier does, one after the other; return how many. It stops before a row that needs the general way.

    Parameters
    ----------
    starts, columns, before, after
        As for `scale_rows`.
    norms
        The norm of each row, as it is learned.
    labels
        The label of each row, 0 or 1.
    weights, ranks, is_compensated
        As for `add_up`; weights and ranks are changed.
    settings
        The intercept and the number of weights, which are changed, and the longest step.
    mode
        0, 1 or 2: PA, PA-I or PA-II.
    two
        `TWO`.
    raws
        Becomes the sum of weights and values for each row, before it was learned.
    """
    rows = len(starts) - 1
    intercept, size, longest = settings[0], int(settings[1]), settings[2]
    done = rows
    for i in range(rows):
        first, end = starts[i], starts[i + 1]
        raw = add_up(first, end, columns, before, ranks, size, weights, is_compensated) + intercept
        square = norms[i] ** two
        if not (math.isfinite(raw) and square < FAR):
            done = i
            break
        raws[i] = raw
        raw = add_up(first, end, columns, after, ranks, size, weights, is_compensated) + intercept
        side = 1.0 if labels[i] != 0.0 else -1.0
        loss = 1.0 - side * raw
        loss = max(loss, 0.0)
        step = 0.0
        if mode == 2:
            step = loss / (square + 0.5 / longest)
        elif square > 0.0:
            step = loss / square
            if mode == 1 and not step < longest:
                step = longest
        step *= side
        for at in range(first, end):
            j = columns[at]
            if ranks[j] < 0:
                ranks[j] = size
                size += 1
            weights[j] += step * after[at]
        intercept += step
    settings[0], settings[1] = intercept, size
    return done


@njit(cache=True)
def sharpen_rows(
    starts: Integers,
    columns: Integers,
    before: Floats,
    after: Floats,
    labels: Integers,
    weights: Floats,
    ranks: Integers,
    sizes: Integers,
    rates: Floats,
    l2: float,
    is_compensated: bool,
    shares: Floats,
) -> int:
    """Predict and learn rows as softmax regression does, one after the other; return how many. It stops before a row that needs the general way.

    Parameters
    ----------
    starts, columns, before, after
        As for `scale_rows`.
    labels
        The number of the class of each row.
    weights, ranks, sizes
        For each class, what `add_up` takes; they are changed.
    rates
        The learning rate of each class.
    l2
        The strength of the L2 penalty.
    is_compensated
        As for `add_up`.
    shares
        Becomes the probability of each class for each row, before it was learned.
    """
    classes = len(sizes)
    slopes = np.empty(classes)
    for i in range(len(starts) - 1):
        first, end = starts[i], starts[i + 1]
        for is_learning in (False, True):
            p = slopes if is_learning else shares[i]
            values = after if is_learning else before
            for k in range(classes):
                # Of two dicts as long as each other, River takes the second one's order: here that of the row, and for `pass_rows` that of the weights.
                size = sizes[k] + 1
                p[k] = add_up(first, end, columns, values, ranks[k], size, weights[k], is_compensated)
                if not math.isfinite(p[k]):
                    return i
            highest = p[0]
            for k in range(classes):
                highest = max(highest, p[k])
            total = 0.0
            for k in range(classes):
                p[k] = math.exp(p[k] - highest)
                total += p[k]
            for k in range(classes):
                p[k] /= total
        for k in range(classes):
            slope = slopes[k]
            slope = min(slope, 1 - 1e-15)
            slope = max(slope, 1e-15)
            slope -= 1.0 if labels[i] == k else 0.0
            for at in range(first, end):
                j = columns[at]
                if ranks[k, j] < 0:
                    ranks[k, j] = sizes[k]
                    sizes[k] += 1
                weights[k, j] -= rates[k] * (after[at] * slope + l2 * weights[k, j])
    return len(starts) - 1


@njit(cache=True)
def predict_rows(
    rows: Integers,
    starts: Integers,
    columns: Integers,
    values: Floats,
    is_scaled: Flags,
    means: Floats,
    variances: Floats,
    weights: Floats,
    intercept: float,
    half: float,
    raws: Floats,
) -> None:
    """Predict some rows, and learn none; the arguments are those of `scale_rows` and `descend_rows`. A sum is no number where the general way is needed."""
    for i in range(len(rows)):
        raw = 0.0
        for at in range(starts[rows[i]], starts[rows[i] + 1]):
            j = columns[at]
            value = values[at]
            if is_scaled[j]:
                variance = variances[j]
                if variance < 0.0:
                    raw = math.nan
                value = (value - means[j]) / variance**half if variance != 0.0 else 0.0
            raw += weights[j] * value
        raws[i] = raw + intercept


@njit(cache=True)
def find_shares(raws: Floats, shares: Floats) -> None:
    """Compute the probability of each sum: the sigmoid of River."""
    for i in range(len(raws)):
        raw = raws[i]
        shares[i] = 0.0 if raw < -30 else 1.0 if raw > 30 else 1 / (1 + math.exp(-raw))


@njit(cache=True)
def score_shares(
    shares: Floats, labels: Floats, edges: Floats, least: float, most: float, losses: Floats, cells: Integers
) -> None:
    """Do for many predictions what `Probabilities.update` does for one.

    Parameters
    ----------
    shares, labels
        The probability of true, and the label, 0 or 1.
    edges
        The edges of the cells.
    least, most
        The bounds of a probability in the log loss.
    losses
        The number of predictions so far, their mean log loss, and the sum of their squared errors: it is changed.
    cells
        Becomes the cell of each prediction.
    """
    count, mean, squared = losses[0], losses[1], losses[2]
    for i in range(len(shares)):
        p = shares[i]
        low, high = 0, len(edges)
        while low < high:
            middle = (low + high) // 2
            if p < edges[middle]:
                high = middle
            else:
                low = middle + 1
        cells[i] = low
        held = p
        if p < least:
            held = least
        elif most < p:
            held = most
        if labels[i] != 0.0:
            loss, error = -math.log(held), 1.0 - p
        else:
            loss, error = -math.log(1 - held), p
        count += 1.0
        mean += (1.0 / count) * (loss - mean)
        squared += error * error
    losses[0], losses[1], losses[2] = count, mean, squared


@njit(cache=True)
def score_numbers(values: Floats, labels: Floats, two: float, sums: Floats) -> None:
    """Do for many predictions what `Errors.update` does for one.

    Parameters
    ----------
    values, labels
        The predictions and the labels.
    two
        `TWO`.
    sums
        The count and the other six attributes of `Errors`, in their order: it is changed.
    """
    count, absolute, squared, under, label, spread, residual = sums
    for i in range(len(values)):
        y = labels[i]
        error = y - values[i]
        square = error**two
        count += 1.0
        share = 1.0 / count
        absolute += share * (abs(error) - absolute)
        squared += share * (square - squared)
        under += share * ((error if error > 0 else 0.0) - under)
        before = label
        label += share * (y - before)
        spread += (y - before) * (y - label)
        residual += error * error
    sums[0], sums[1], sums[2], sums[3], sums[4], sums[5], sums[6] = (
        count, absolute, squared, under, label, spread, residual,
    )  # fmt: skip


@njit(cache=True)
def weigh_rows(
    errors: Floats, scale: float, is_testing: bool, mean: float, bet: float, limit: float, left: int, sums: Floats
) -> int:
    """Do for many errors what `Evidence.update` does for one, as long as nothing but sums change; return for how many.

    Parameters
    ----------
    errors
        The errors.
    scale
        What they are divided by.
    is_testing, mean, bet
        Whether there is a reference, the reference, and the largest bet.
    limit
        The statistic must stay below it.
    left
        The number of errors that are left of the block; the last of them is not counted here.
    sums
        The total of the block, the four evidences, the statistic, the count, the total, the product, where it began, and the total before that: it is
        changed.
    """
    block, a, b, c, d, statistic, count, total, product, begun_at, before = sums
    rows = min(len(errors), left - 1)
    done = 0
    for i in range(rows):
        value = errors[i] / scale
        if not value <= 1.0:
            value = 1.0
        if is_testing:
            gain = bet * (value - mean)
            new_a = a + ((a + 1.0) * gain + 1.0)
            gain *= 0.25
            new_b = b + ((b + 1.0) * gain + 1.0)
            gain *= 0.25
            new_c = c + ((c + 1.0) * gain + 1.0)
            new_product = product * (1.0 + gain)
            gain *= 0.25
            new_d = d + ((d + 1.0) * gain + 1.0)
            new_statistic = (new_a + new_b + new_c + new_d) * 0.25
            if not new_statistic < limit:
                break
            a, b, c, d, statistic = new_a, new_b, new_c, new_d, new_statistic
            count += 1.0
            total += value
            if new_product > 1.0:
                product = new_product
            else:
                product, begun_at, before = 1.0, count, total
        block += value
        done += 1
    sums[0], sums[1], sums[2], sums[3], sums[4], sums[5] = block, a, b, c, d, statistic
    sums[6], sums[7], sums[8], sums[9], sums[10] = count, total, product, begun_at, before
    return done
