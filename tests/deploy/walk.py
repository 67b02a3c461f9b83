"""Follows docs/tutorial.md as a reader does: types every command into a shell, and compares the output with that of the page.

    PYTHONPATH=tests .venv/bin/python tests/deploy/walk.py [--write] [--times]

`--write` puts what was printed into the page; `--times` tells how long each command took.

A block of the page is a command; a block that follows another one directly, without a word between, is what it prints. The broker and
the worker, which the reader starts in terminals of their own, run in the background. All ports are other ones than the page's.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import harness

PAGE = harness.ROOT / "docs/tutorial.md"

FENCED = re.compile(r"^```\n(.*?)^```\n", re.DOTALL | re.MULTILINE)

MASKS = [
    (r"in [\d.]+ s \([\d,]+ (rows|records)/s\)", r"in T s (N \1/s)"),
    (r"at most [\d.]+ s old", "at most T s old"),
    (r'"staleness_s":[\d.]+', '"staleness_s":T'),
    (r"(p50|p90|p99) [\d.]+ s", r"\1 T s"),
    (r"│ [0-9a-f]{8} │", "│ DIGEST │"),
    (r'"id":"[0-9a-f]{12}-1"', '"id":"ID"'),
]
"""What differs from one walk to the next: times, rates, ids, and digests, which depend on the timestamps of the records."""

FIGURE = (r"\b[01]\.\d{4}\b", "FIGURE")
UNORDERED = "headrace status fraud"
"""This task reads two topics, in no fixed order. How much the model knew when a question came, and so the figure of each metric, differs."""


class Step(NamedTuple):
    """A command of the page.

    Parameters
    ----------
    prose
        What the page says between the block before and this one.
    command
        What the reader types.
    printed
        What the page says that it prints, and where that stands in the page; None where it does not say.
    """

    prose: str
    command: str
    printed: tuple[int, int] | None


class Output(NamedTuple):
    """What a command printed, and the seconds that it took."""

    step: Step
    printed: str
    seconds: float


def read_steps(page: str) -> list[Step]:
    """Read the commands of a page."""
    steps: list[Step] = []
    end = 0
    for block in FENCED.finditer(page):
        prose = page[end : block.start()]
        if steps and not prose.strip():
            steps[-1] = steps[-1]._replace(printed=block.span(1))
        else:
            steps.append(Step(prose, block[1], None))
        end = block.end()
    return steps


def mask(text: str, command: str) -> str:
    """Put a word in the place of what differs from one walk to the next in the output of a command."""
    masks = [*MASKS, FIGURE] if UNORDERED in command else MASKS
    for pattern, word in masks:
        text = re.sub(pattern, word, text)
    return text


class Reader:
    """Someone who follows the page, in a home folder of their own.

    Parameters
    ----------
    home
        The folder, which is empty.
    scripts
        The folder of the `headrace` that is typed; left out, that of this interpreter.

    Attributes
    ----------
    did
        What the reader did beside typing commands.
    """

    def __init__(self, home: Path, scripts: Path | None = None):
        self.broker_port, self.web_port = harness.free_port(), harness.free_port()
        scripts = scripts or Path(sys.executable).parent
        self.environment = os.environ | {
            "HOME": str(home), "PATH": f"{scripts}:{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "80", "PYTHONPATH": str(harness.ROOT),
        }  # fmt: skip
        self.folder = home
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.did: set[str] = set()

    def type(self, command: str) -> str:
        """Type a command into the reader's own terminal; return what it prints."""
        command = command.replace("9092", str(self.broker_port)).replace("6066", str(self.web_port))
        done = subprocess.run(
            ["bash", "-ec", f"{command}\npwd > {self.environment['HOME']}/.folder"],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        if done.returncode:
            raise AssertionError(f"{command}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
        self.folder = Path((Path(self.environment["HOME"]) / ".folder").read_text().strip())
        # A terminal does not show blanks at the end of a line. What curl prints has no line end, and the next output begins a line all the same.
        printed = done.stdout.replace(str(self.broker_port), "9092").replace(str(self.web_port), "6066")
        return "".join(f"{line.rstrip()}\n" for line in printed.splitlines())

    def start(self, name: str, *options: str) -> None:
        """Start the broker or the worker in a terminal of its own, and wait until it is ready."""
        log = self.folder / f"{name}.log"
        with log.open("ab") as out:
            begun = out.tell()
            self.running[name] = subprocess.Popen(
                [Path(sys.executable).parent / "headrace", name, *options], cwd=self.folder, env=self.environment, stdout=out, stderr=out, start_new_session=True
            )  # fmt: skip
        line = b"ready at" if name == "worker" else b"127.0.0.1:"

        def is_ready() -> bool:
            assert self.running[name].poll() is None, f"the {name} has ended:\n{log.read_text()[-3000:]}"
            return line in log.read_bytes()[begun:]

        harness.wait_for(is_ready, 120, lambda: f"the {name} is ready:\n{log.read_text()[-3000:]}")

    def stop(self, name: str, by: signal.Signals) -> None:
        """Stop the broker or the worker by a signal."""
        process = self.running.pop(name)
        process.send_signal(by)
        process.wait(60)

    def wait(self, task: str) -> None:
        """Wait until a task has folded all records that there are, as readers do who are slower than machines."""

        def is_at_end() -> bool:
            answer = harness.HTTP.get(f"http://127.0.0.1:{self.web_port}/v1/{task}").json()
            shards, sources = answer.get("shards", []), answer.get("sources", {})
            at_end = all(one.get("position") == one.get("end") for one in (*shards, *sources.get("partitions", [])))
            # The end of a log that is still being written is that of a moment ago.
            return bool(shards) and at_end and sum(one["position"] for one in shards) > sources.get("mapped", 0)

        harness.wait_for(is_at_end, 120, f"{task} has folded its log")

    def follow(self, step: Step) -> str:
        """Do what the page says before a command, and then the command; return what it prints."""
        if "Start it again in the same terminal" in step.prose:
            self.did.add("started after the kill")
            self.start("worker")
        if "Stop the worker with Ctrl-C, start it again" in step.prose:
            self.did.add("started after Ctrl-C")
            self.stop("worker", signal.SIGINT)
            self.start("worker")
        for page in re.findall(r"open http://127\.0\.0\.1:6066(/\S*)", step.prose):
            self.did.add(f"opened {page}")
            answer = harness.HTTP.get(f"http://127.0.0.1:{self.web_port}{page}")
            assert answer.status_code == 200, f"{page} is answered with {answer.status_code}: {answer.text[:200]}"
            assert "<title>" in answer.text
        command = step.command
        if command == "headrace broker\n":
            self.start("broker", "--listen", f"127.0.0.1:{self.broker_port}")
            return ""
        if command == "headrace worker\n":
            self._move_ports()
            self.start("worker")
            return ""
        if command == "kill -9 %1\n":
            self.did.add("killed")
            self.stop("worker", signal.SIGKILL)
            return ""
        if command.startswith("make .venv"):
            command = command.splitlines()[-1] + "\n"
        if "<<" in command:  # a file is written, and its lines are no commands
            return self.type(command)
        return "".join(map(self._type_line, command.splitlines()))

    def _type_line(self, line: str) -> str:
        if task := re.match(r"headrace (?:status|predict) (\w+)", line):
            self.wait(task[1])
        return self.type(line)

    def _move_ports(self) -> None:
        """Have the settings say the other ports."""
        settings = self.folder / "headrace.toml"
        text = settings.read_text()
        for line, moved in (
            (r'# web = "127\.0\.0\.1:6066"', f'web = "127.0.0.1:{self.web_port}"'),
            (r'# url = "kafka://127\.0\.0\.1:9092"', f'url = "kafka://127.0.0.1:{self.broker_port}"'),
        ):
            text, count = re.subn(line, moved, text)
            assert count == 1, f"headrace.toml does not have {line} once:\n{text}"
        settings.write_text(text)


def walk(reader: Reader) -> Iterator[Output]:
    """Have a reader follow the whole page, and yield what each command printed."""
    try:
        for step in read_steps(PAGE.read_text()):
            begun = time.monotonic()
            printed = reader.follow(step)
            yield Output(step, printed, time.monotonic() - begun)
    finally:
        for name in reversed(list(reader.running)):
            reader.stop(name, signal.SIGKILL)


def differences(page: str, outputs: Iterable[Output]) -> Iterator[str]:
    """Say where what was printed differs from what the page says."""
    for step, printed, _ in outputs:
        if step.printed is None:
            continue
        said = page[slice(*step.printed)]
        if mask(printed, step.command) != mask(said, step.command):
            yield f"{step.command}--- the page says\n{said}--- it prints\n{printed}"


def main() -> None:
    """Walk, and say what differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--times", action="store_true")
    options = parser.parse_args()
    page, outputs = PAGE.read_text(), []
    with tempfile.TemporaryDirectory() as home:
        for output in walk(Reader(Path(home))):
            outputs.append(output)
            if options.times:
                print(f"{output.seconds:6.1f} s  {output.step.command.splitlines()[0][:90]}", flush=True)
    for difference in differences(page, outputs):
        print(difference)
    if options.write:
        for step, printed, _ in reversed(outputs):
            if step.printed is not None:
                start, end = step.printed
                page = page[:start] + printed + page[end:]
        PAGE.write_text(page)


if __name__ == "__main__":
    main()
