"""Draws faults, does them one by one to a system that is fed, and has each judged on its own."""

import argparse
import logging
import random
import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import topic_faults  # noqa: F401 registers them
from faults import FAULTS, Fault, Silent
from judge import Judge, Verdict
from system import System

LABELS_ROWS = 1_500
"""Rows after a restart: most labels of the questions that waited come with them, and show whether those were still there."""

REMEDIED_SECONDS = 60.0
"""How long all may take to be equal once the remedy for what had stopped was applied."""


class Done(NamedTuple):
    """A fault, what it was done to, and what came of it; `at` is in seconds since the run began."""

    seed: int
    at: float
    fault: str
    target: str
    verdict: Verdict

    def __str__(self) -> str:
        verdict = self.verdict
        detail = f": {verdict.detail}" if verdict.detail else ""
        return f"{self.seed:>4} {self.at:>6.1f} {self.fault:<16} {self.target:<70} {verdict.seconds:>5.1f} s {verdict.outcome}{detail}"


def draw(count: int, seed: int, only: list[str]) -> list[Fault]:
    """So many faults: every kind once before one comes again, and the slow ones half as often."""
    dice, drawn = random.Random(seed), []
    kinds = [FAULTS[name] for name in only or FAULTS]
    while len(drawn) < count:
        deck = [kind for kind in kinds if only or not kind.is_slow or dice.random() < 0.5]
        dice.shuffle(deck)
        drawn += deck
    return drawn[:count]


class Run:
    """One seed's faults on a system of its own.

    Parameters
    ----------
    options
        `faults`, `workers`, `shards`, `rate`, `only`: as on the command line.
    folder
        For all that it leaves.
    seed
        Decides everything but time.
    """

    def __init__(self, options: argparse.Namespace, folder: Path, seed: int):
        self.options, self.folder, self.seed = options, folder, seed
        self.dice = random.Random(seed)
        self.started = time.monotonic()
        self.done: list[Done] = []

    def run(self) -> list[Done]:
        """Do all of them; what came of each."""
        options = self.options
        with System(
            self.folder, self.seed, workers=options.workers, shards=options.shards, rate=options.rate
        ) as system:
            for fault in draw(options.faults, self.seed, options.only):
                self._one(system, fault)
        return self.done

    def _one(self, system: System, fault: Fault) -> None:
        began = time.monotonic()
        if fault.name.startswith("disk-full") and not all(node.is_small for node in system.nodes):
            reason = "a disk of its own cannot be mounted here"
            self._tell(Done(self.seed, began - self.started, fault.name, "", Verdict("skipped", reason, 0.0)))
            return
        if fault.changes_log:  # what had come of the source may be lost with it
            system.source_from = dict.fromkeys(range(1024), 1 << 62)
        target, verdict = self._do(system, fault)
        verdict = verdict._replace(seconds=time.monotonic() - began)
        self._tell(Done(self.seed, began - self.started, fault.name, target, verdict))
        if verdict.outcome == "silent":
            print(f"     kept in {system.keep(f'silent-{len(self.done)}')}", flush=True)
            system.begin()  # so that the next fault is judged on its own
        elif fault.changes_log:
            system.source_from = system.ends(system.source)

    def _do(self, system: System, fault: Fault) -> tuple[str, Verdict]:
        system.feed.resume()
        time.sleep(self.dice.uniform(0.5, 1.5))
        target, silent = "?", None
        with ExitStack() as stack:
            try:
                with fault.inject(system, self.dice) as target:
                    time.sleep(self.dice.uniform(*fault.lasts))
            except Silent as error:
                silent = str(error)
            finally:
                stack.callback(system.feed.pause)
            system.feed.resume()
            time.sleep(self.dice.uniform(0.5, 1.5))
        if silent:
            return target, Verdict("silent", silent, 0.0)
        return target, self._judge(system, fault)

    def _judge(self, system: System, fault: Fault) -> Verdict:
        causes = [cause.replace("{task}", system.task.name) for cause in fault.causes]
        verdict = Judge(system, causes, fault.limit).settle()
        if verdict.outcome == "equal" and fault.again:
            system.restart()
            system.feed.burst(LABELS_ROWS)
            verdict = after("after a restart", Judge(system, causes, fault.limit).settle())
        if verdict.outcome == "stopped" and fault.remedy is not None:
            fault.remedy(system)
            system.feed.burst(20)
            remedied = after("after the remedy", Judge(system, (), REMEDIED_SECONDS).settle())
            if remedied.outcome != "equal":
                return remedied._replace(detail=f"{remedied.detail}; it had stopped: {verdict.detail}")
        return verdict

    def _tell(self, done: Done) -> None:
        self.done.append(done)
        print(done, flush=True)


def after(when: str, verdict: Verdict) -> Verdict:
    """The verdict, with when it was found."""
    return verdict if not verdict.detail else verdict._replace(detail=f"{when}: {verdict.detail}")


def run(options: argparse.Namespace, folder: Path, seeds: list[int]) -> bool:
    """Run each seed; whether nothing was silent. The folders of runs in which something was are kept."""
    done: list[Done] = []
    for seed in seeds:
        mine = folder / f"seed-{seed}"
        mine.mkdir(parents=True)
        print(f"seed {seed}", flush=True)
        run = Run(options, mine, seed)
        done += run.run()
        if all(one.verdict.outcome != "silent" for one in run.done):
            shutil.rmtree(mine)
    print("\nseed     at fault            target")
    for one in done:
        print(one)
    outcomes = [one.verdict.outcome for one in done]
    counts = ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in ("equal", "stopped", "skipped", "silent"))
    print(f"{len(done)} faults over {len(seeds)} seeds: {counts}", flush=True)
    return "silent" not in outcomes


def list_faults() -> None:
    """Print every kind of fault."""
    for name, fault in FAULTS.items():
        stops = "may stop the shard" if fault.causes else "must end equal"
        print(f"{name:<18} {stops:<18} {fault.lasts[0]:>4.0f} to {fault.lasts[1]:.0f} s")


def main(options: argparse.Namespace) -> bool:
    """As `chaos.py --faults` asks."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the feed goes on while the broker is away
    folder = Path(options.folder or tempfile.mkdtemp(prefix="faults-"))
    is_right = run(options, folder, [options.seed + number for number in range(options.seeds)])
    if is_right:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"What was silent is kept in {folder}")
    return is_right
