"""What becomes of files as people have them, from `headrace init` to a model, with no option but the label.

`tests/file_kinds.py` makes the files. For each the table has the kind of the task, what its features are, the rows that `headrace send` would
refuse, and the figure of the model beside that of the best baseline, which looks at no feature.

    PYTHONPATH=tests .venv/bin/python benchmarks/files.py
"""

import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from file_kinds import KINDS, Kind

from headrace.app.files.sources import open_source
from headrace.app.settings import load
from headrace.testing import MemoryLog


def become(kind: Kind, folder: Path) -> str:
    """Say what becomes of a file."""
    path, config = folder / kind.file, folder / "headrace.toml"
    path.write_bytes(kind.make())
    config.unlink(missing_ok=True)
    command = [sys.executable, "-m", "headrace", "init", "--config", config, path, "--label", kind.label]
    done = subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True)
    if done.returncode:
        return f"refused: {done.stderr.splitlines()[-1].removeprefix('Error: ').replace(str(path), path.name)}"
    (task,) = load(str(config)).tasks.values()
    log = MemoryLog(task)
    samples = list(open_source([str(path)], task).samples)
    for sample in samples:
        if not sample.reason:
            log.append(sample.value)
    counts = Counter("numbers" if one.type in ("float", "int") else "words" for one in (task.features or {}).values())
    return describe(task.kind, counts, sum(bool(one.reason) for one in samples), log.fold().learner.describe()["arms"])


def describe(kind: str, counts: Counter[str], refused: int, arms: dict[str, Any]) -> str:
    """Say what the task is, what its features are, and what its model is worth."""
    name, best = ("mae", min) if kind == "regression" else ("accuracy", max)
    figures = {arm: one["metrics"][name] for arm, one in arms.items() if one["metrics"].get(name) is not None}
    ours = figures.pop("champion", None)
    nouns = {"numbers": ("number", "numbers"), "words": ("category or text", "categories or texts")}
    features = " and ".join(f"{counts[noun]} {nouns[noun][counts[noun] != 1]}" for noun in nouns if counts[noun])
    refusals = f"; {refused:,} rows refused" if refused else ""
    worth = "nothing learned" if ours is None else f"{name} {ours:.3f}, baseline {best(figures.values()):.3f}"
    return f"{kind}, {features}{refusals}; {worth}"


def main() -> None:
    """Print the table."""
    print("| File | What is peculiar | Now |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            print(f"| {kind.file} | {kind.has.replace('|', '')} | {become(kind, Path(folder))} |", flush=True)


if __name__ == "__main__":
    main()
