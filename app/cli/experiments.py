"""`headrace compare` and `headrace traffic`: which of two arms is better, and which arm answers whom."""

from collections import Counter

import click

from headrace.app.cli.client import ask
from headrace.app.cli.control import acting, send_control
from headrace.app.cli.options import as_json, asking, task_of
from headrace.app.cli.terminal import say, say_json
from headrace.app.settings import Settings
from headrace.app.verdicts import say_verdict
from headrace.learning.task import Json


@click.command()
@asking
@click.argument("task")
@click.argument("a", required=False)
@click.argument("b", required=False)
@as_json
def compare(settings: Settings, task: str, a: str | None, b: str | None, *, as_json: bool) -> None:
    """Compare arm A of TASK with arm B, or show all experiments: the mean losses, bounds of their difference, and the verdict."""
    name = task_of(settings, task).name
    rows = ask(settings, "GET", f"/v1/{name}/experiments")["experiments"]
    wanted = {one for one in (a, b) if one is not None}
    shown = [row for row in rows if wanted <= {row["a"], row["b"]}]
    if as_json:
        say_json({"experiments": shown})
        return
    if not shown:
        pairs = sorted({f"{row['a']} and {row['b']}" for row in rows})
        if not wanted:
            say(
                "There is no other arm than the baselines: declare one under [tasks.NAME.arms], and run headrace apply."
            )
            return
        raise click.ClickException(
            f"no experiment compares {' and '.join(sorted(wanted))}. There are: {', '.join(pairs) or 'none'}. "
            "Add one under [[tasks.NAME.experiments]], and run headrace apply."
        )
    for row in shown:
        say(*describe(row).split("\n"))


def describe(row: dict[str, Json]) -> str:
    """Describe an experiment in a line or two.

    Examples
    --------
    >>> row = {"partition": 0, "a": "champion", "b": "tree", "loss": "zero_one", "count": 800, "mean_a": 0.25, "mean_b": 0.125}
    >>> print(describe(row | {"difference": 0.125, "low": 0.07, "high": 0.18, "alpha": 0.05, "margin": 0.005, "verdict": "b_better"}))
    shard 0, champion against tree: tree is better
      zero_one loss over 800 labels: 0.2500 and 0.1250; difference +0.1250, between +0.0700 and +0.1800 with 95 %
    """
    head = f"shard {row['partition']}, {row['a']} against {row['b']}: {say_verdict(row)}"
    if row["difference"] is None:
        return f"{head}\n  no label yet"
    losses = f"{row['loss']} loss over {row['count']:,} labels: {row['mean_a']:.4f} and {row['mean_b']:.4f}"
    bounds = f"between {row['low']:+.4f} and {row['high']:+.4f} with {1 - row['alpha']:.0%}".replace("%", " %")
    return f"{head}\n  {losses}; difference {row['difference']:+.4f}, {bounds}"


@click.command()
@acting
@click.argument("shares", nargs=-1, metavar="[ARM=SHARE]...")
@click.option("--salt", default="", help="Another salt splits the keys in another way.")
def traffic(settings: Settings, task: str, shares: tuple[str, ...], salt: str, **options: Json) -> None:
    """Have arms of TASK answer a share of the questions, by a stable hash of the key: tree=0.1. The champion answers the rest.

    Without shares the champion answers all.
    """
    read = list(map(read_share, shares))
    if twice := [arm for arm, count in Counter(arm for arm, _ in read).items() if count > 1]:
        raise click.UsageError(f"the arm '{twice[0]}' stands twice. Give each arm one share.")
    record = {"control": "traffic", "shares": dict(read), "salt": salt}
    send_control(settings, task_of(settings, task), record, **options)


def read_share(text: str) -> tuple[str, float]:
    """Read an arm and its share.

    Examples
    --------
    >>> read_share("tree=0.1"), read_share("tree=10%")
    (('tree', 0.1), ('tree', 0.1))
    """
    arm, equals, share = text.partition("=")
    try:
        number = float(share.removesuffix("%")) / (100 if share.endswith("%") else 1)
    except ValueError:
        number = -1.0
    if not arm or not equals or not 0 <= number <= 1:
        raise click.UsageError(f"'{text}' is no share. Write ARM=SHARE, with a share from 0 to 1: tree=0.1.")
    return arm, number
