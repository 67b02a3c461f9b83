"""What the task that `headrace init` writes is worth, beside five pipelines of River made by hand, on ten shapes of data.

    PYTHONHASHSEED=0 PYTHONPATH=. .venv/bin/python benchmarks/shapes.py [--rows 4000] [--models logistic experts] [--shapes text drift]

Each shape is written as a CSV file, looked at by `headrace init`, and learned row by row; every row is predicted before it is learned. The
pipelines get the same rows with the types that a person would give them. It prints the figure of each: accuracy; ROC AUC where the labels are
rare; and R2 for a regression.
"""

import argparse
import csv
import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from river import (
    compose,
    datasets,
    feature_extraction,
    forest,
    linear_model,
    metrics,
    naive_bayes,
    optim,
    preprocessing,
    tree,
)
from river.datasets import synth

from headrace import Learner, Message, Task
from headrace.app.files.sources import open_source
from headrace.app.settings import load

Features = dict[str, Any]
Rows = Iterator[tuple[Features, Any]]


def mixed(rows: int) -> Rows:
    """Numbers, categories and missing values; the label needs two of them together."""
    dice = random.Random(1)
    for _ in range(rows):
        x = {
            "age": dice.randrange(18, 90), "income": round(dice.lognormvariate(10, 0.7), 2), "plan": dice.choice(["basic", "plus", "pro"]),
            "country": dice.choice(["PT", "ES", "FR", "DE", "IT", "NL"]), "visits": dice.randrange(40), "debt": round(dice.expovariate(1e-4), 2),
        }  # fmt: skip
        score = (
            0.04 * (x["age"] - 50)
            + (x["plan"] == "pro") * 2
            - (x["country"] in ("PT", "NL")) * 1.5
            + 0.05 * (x["visits"] - 20)
        )
        score += 1.5 if x["income"] > 30_000 and x["plan"] != "basic" else -0.5
        if dice.random() < 0.2:
            del x["debt"]
            score += 1.5
        yield x, dice.random() < 1 / (1 + math.exp(-2 * score))


def text(rows: int) -> Rows:
    """Short messages: common words in both classes, and a few words that tell."""
    dice = random.Random(2)
    common = [f"word{number}" for number in range(2_000)]
    weights = [1 / (number + 5) for number in range(2_000)]
    spam = ["prize", "winner", "claim", "free", "urgent", "cash", "offer", "txt", "ringtone", "guaranteed"]
    ham = ["home", "tonight", "love", "dinner", "sorry", "later", "meeting", "bus", "mum", "lecture"]
    for _ in range(rows):
        y = dice.random() < 0.3
        words = dice.choices(common, weights, k=dice.randrange(8, 22))
        words += dice.choices(spam if y else ham, k=dice.randrange(4)) + dice.choices(
            ham if y else spam, k=dice.random() < 0.1
        )
        dice.shuffle(words)
        yield {"message": " ".join(words)}, y


def cardinal(rows: int) -> Rows:
    """Users and shops with an effect each: strings with thousands of values."""
    dice = random.Random(3)
    users, shops = [dice.gauss(0, 1.5) for _ in range(1_500)], [dice.gauss(0, 1.5) for _ in range(300)]
    for _ in range(rows):
        user, shop = int(1_500 * dice.random() ** 2), int(300 * dice.random() ** 2)
        score = users[user] + shops[shop]
        yield (
            {"user": f"u{user:04}", "shop": f"shop {shop}", "hour": dice.randrange(24)},
            dice.random() < 1 / (1 + math.exp(-2 * score)),
        )


def rare(rows: int) -> Rows:
    """Three labels in a hundred are true."""
    dice = random.Random(4)
    for _ in range(rows):
        y = dice.random() < 0.03
        x = {"amount": round(dice.lognormvariate(3 + 1.2 * y, 1), 2), "hour": dice.randrange(24) if not y else dice.choice([1, 2, 3, 4, 22]),
             "country": dice.choice(["PT"] * 8 + ["ES", "RO"]) if not y else dice.choice(["PT", "RO", "RO"]), "cards": dice.randrange(1, 4 + 2 * y)}  # fmt: skip
        yield x, y


def drift(rows: int) -> Rows:
    """Agrawal's function changes twice."""
    for number, function in enumerate((0, 3, 6)):
        for x, y in synth.Agrawal(function, seed=number).take(rows // 3):
            yield {str(name): value for name, value in x.items()}, bool(y)


def dated(rows: int) -> Rows:
    """What matters is the hour and the day of the week."""
    dice = random.Random(6)
    for number in range(rows):
        at = 1_767_225_600 + number * 1_140 + dice.randrange(1_000)
        hour, day = at // 3_600 % 24, at // 86_400 % 7
        score = (2.0 if 8 <= hour < 18 else -2.0) * (-1 if day in (2, 3) else 1)
        x = {"at": at, "load": round(dice.gauss(0, 1), 3)}
        yield x, dice.random() < 1 / (1 + math.exp(-1.5 * score - 0.5 * x["load"]))


def bundled(data: Callable[[], Iterable[tuple[Features, Any]]]) -> Callable[[int], Rows]:
    """A data set that comes with River."""
    return lambda rows: (
        ({f"x{key}" if str(key).isdigit() else str(key): value for key, value in x.items()}, y)
        for x, y in islice(iter(data()), rows)
    )


def price(rows: int) -> Rows:
    """A regression: flats, with a price by square metre that differs from one quarter to another."""
    dice = random.Random(8)
    levels = {f"quarter {number}": dice.uniform(1.5, 6) for number in range(20)}
    for _ in range(rows):
        quarter, size, floor = dice.choice(list(levels)), round(dice.uniform(25, 140), 1), dice.randrange(8)
        yield (
            {"quarter": quarter, "size": size, "floor": floor},
            round(size * levels[quarter] + 5 * floor + dice.gauss(0, 12), 2),
        )


class Shape(NamedTuple):
    """A shape: its rows, and the figure that is compared."""

    rows: Callable[[int], Rows]
    metric: str = "accuracy"


SHAPES = {
    "numbers (Phishing)": Shape(bundled(datasets.Phishing)),
    "curved (Bananas)": Shape(bundled(datasets.Bananas)),
    "classes (ImageSegments)": Shape(bundled(datasets.ImageSegments)),
    "mixed, with gaps": Shape(mixed),
    "text": Shape(text),
    "high cardinality": Shape(cardinal),
    "rare labels": Shape(rare, "roc_auc"),
    "drift (Agrawal)": Shape(drift),
    "dates": Shape(dated),
    "regression": Shape(price, "r2"),
}


def strings_as_columns() -> Any:
    """Numbers scaled, and a column for each string."""
    return compose.SelectType(str) | preprocessing.OneHotEncoder(), compose.SelectType(
        int, float
    ) | preprocessing.StandardScaler()


def union() -> Any:
    one_hot, scaled = strings_as_columns()
    return one_hot + scaled


def parts(x: Features) -> Features:
    """What a person makes of a time."""
    if "at" not in x:
        return x
    return {**x, "hour": f"{x['at'] // 3_600 % 24}", "day": f"{x['at'] // 86_400 % 7}"}


def pipelines(name: str, kind: str) -> dict[str, Any]:
    """Five pipelines, as an expert would write them for the shape."""
    prepare = compose.FuncTransformer(parts)
    if name == "text":
        bag = feature_extraction.BagOfWords(on="message")
        return {
            "words, multinomial NB": bag.clone() | naive_bayes.MultinomialNB(),
            "words, Bernoulli NB": bag.clone() | naive_bayes.BernoulliNB(),
            "words, complement NB": bag.clone() | naive_bayes.ComplementNB(),
            "TF-IDF, logistic 0.1": feature_extraction.TFIDF(on="message")
            | linear_model.LogisticRegression(optim.SGD(0.1)),
            "words, PA": bag.clone() | linear_model.PAClassifier(),
        }
    if kind == "regression":
        return {
            "linear": prepare | union() | linear_model.LinearRegression(),
            "linear, Adam": prepare | union() | linear_model.LinearRegression(optim.Adam(0.1)),
            "Hoeffding tree": prepare.clone() | union() | tree.HoeffdingTreeRegressor(),
            "ARF": prepare | union() | forest.ARFRegressor(seed=1),
            "AMF": prepare | union() | forest.AMFRegressor(seed=1),
        }
    linear = linear_model.SoftmaxRegression if kind == "multiclass" else linear_model.LogisticRegression
    return {
        "scaled, logistic 0.005": prepare | union() | linear(optim.SGD(0.005)),
        "scaled, logistic 0.1": prepare | union() | linear(optim.SGD(0.1)),
        "Gaussian NB": prepare.clone()
        | (preprocessing.OneHotEncoder() if name == "high cardinality" else union())
        | naive_bayes.GaussianNB(),
        "HAT": prepare | tree.HoeffdingAdaptiveTreeClassifier(seed=1),
        "ARF": prepare
        | (forest.ARFClassifier(seed=1) if name != "high cardinality" else tree.HoeffdingTreeClassifier()),
    }


METRICS = {"accuracy": metrics.Accuracy, "roc_auc": lambda: metrics.RollingROCAUC(window_size=10**6), "r2": metrics.R2}


def by_hand(model: Any, rows: list[tuple[Features, Any]], metric: str) -> float:
    """Fold a pipeline over the rows; return its figure."""
    figure = METRICS[metric]()
    for x, y in rows:
        if metric == "roc_auc":
            figure.update(y, model.predict_proba_one(x).get(True, 0.0))
        else:
            answer = model.predict_one(x)
            if answer is not None:
                figure.update(y, answer)
        model.learn_one(x, y)
    return float(figure.get())


def declared(name: str, rows: list[tuple[Features, Any]], folder: Path) -> tuple[Task, list[bytes]]:
    """Write the rows as a file, let `headrace init` look at it, and return its task with the records that `send` would send."""
    stem = "".join(char if char.isalnum() else "-" for char in name)
    folder = folder / stem
    folder.mkdir()
    path, config = folder / "data.csv", folder / "headrace.toml"
    names = list(dict.fromkeys(key for x, _ in rows for key in x))
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*names, "label"])
        for x, y in rows:
            writer.writerow([*(x.get(key, "") for key in names), str(y).lower() if isinstance(y, bool) else y])
    command = [sys.executable, "-m", "headrace", "init", "--config", config, path, "--label", "label"]
    done = subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ((_, task),) = load(str(config)).tasks.items()
    return task, [sample.value for sample in open_source([str(path)], task).samples]


def ours(task: Task, records: list[bytes], metric: str) -> tuple[float, float]:
    """Fold the records by the task; return the champion's figure, and the microseconds that a record took."""
    plain = msgspec.structs.replace(task, detectors=[], reactions=[], predictions=False)
    learner = Learner(plain, 0)
    begun = time.perf_counter()
    for offset, record in enumerate(records):
        for _ in learner.fold(Message(offset, record, 0)):
            pass
    seconds = time.perf_counter() - begun
    assert learner.state.quarantined == 0, f"{learner.state.quarantined} records were refused"
    return learner.champion.scoreboard.figure(metric) or 0.0, seconds / len(records) * 1e6


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=4_000)
    parser.add_argument("--models", nargs="*", default=[])
    parser.add_argument("--shapes", nargs="*", default=[])
    options = parser.parse_args()
    print(
        f"| Shape | Figure | Default task | {''.join(f'{one} | ' for one in options.models)}us a record | Best by hand | Which |"
    )
    print("|---|---|---|" + "---|" * (len(options.models) + 3))
    with tempfile.TemporaryDirectory() as folder:
        for name, shape in SHAPES.items():
            if options.shapes and not any(one in name for one in options.shapes):
                continue
            rows = list(shape.rows(options.rows))
            task, records = declared(name, rows, Path(folder))
            figure, took = ours(task, records, shape.metric)
            others = []
            for model in options.models:
                spec = {"logistic": {"multiclass": "softmax", "regression": "linear"}.get(task.kind, "logistic")}.get(
                    model, model
                )
                others.append(ours(msgspec.structs.replace(task, model=spec), records, shape.metric)[0])
            hand = {one: by_hand(model, rows, shape.metric) for one, model in pipelines(name, task.kind).items()}
            best = max(hand, key=lambda one: hand[one])
            print(
                f"| {name} | {shape.metric} | {figure:.4f} | {''.join(f'{one:.4f} | ' for one in others)}{took:.0f} | {hand[best]:.4f} | {best} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
