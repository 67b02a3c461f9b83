"""Some of `make fuzz-states`, and its mutants."""

import argparse
import os
import re
from pathlib import Path

import fuzz_states
import pytest
from fork_server import Server
from thorough import some


def options(**changes):
    default = {"cases": some(20_000), "start": 0, "step": 1, "seed": 5, "only": ",".join(fuzz_states.KINDS)}
    return argparse.Namespace(**default | changes)


def test_what_nobody_wrote_is_refused_or_read_and_does_nothing_else():
    assert fuzz_states.run(options())


READER, SEALED = "headrace.learning.encoding.reader", "headrace.learning.snapshot.sealed"
MUTANTS = {
    "a file": (READER, "table.find = lambda tag, own=None: open('/dev/null')", r"\[\"open \('/dev/null'", 6),
    "an import": (READER, "table.find = lambda tag, own=None: sys.modules.pop('colorsys', 0) and 0 or __import__('colorsys')", r"\[\"import \('colorsys'", 6),
    "a changed class": (READER, "_fill = lambda made, shape, names, values: setattr(shape.kind, 'mark', made)", "a class or a function was changed", 1),
    "an error of another kind": (READER, "Reader.read = lambda self: sys.exit(3)", r"raised SystemExit\(3\)", 6),
    "memory": (READER, "Reader.read = lambda self: bytearray(4 << 30)", "not enough memory", 6),
    "time": (READER, "fuzz_states.CASE_SECONDS = 0.05; Reader.read = lambda self: spin(0.1)", r"took \d+\.\d s", 6),
    "a state that is none": (SEALED, "check = lambda *_: None", r"\(state\) raised", 6),
    "a signature that is not looked at": (SEALED, "hmac = __import__('types').SimpleNamespace(new=hmac.new, compare_digest=lambda *_: True)", r"\(snapshot\) raised AssertionError", 6),
    "a signal": (READER, "table.find = lambda tag, own=None: __import__('os').abort()", "ended with status -6", 1),
}  # fmt: skip
"""The module that is changed and how, what must be said of it, and how often: the child stops after its sixth wrong case."""


@pytest.fixture(scope="module")
def forking():
    """What forks children, for `start` of `fuzz_states.run`, as a function of their environment."""
    server = Server(str(Path(fuzz_states.__file__).with_name("fuzz_forks.py")))

    def start_in(environment):
        def start(words, out):
            return server.start(["fuzz_states", *words], dict(os.environ) | environment, out.parent, out, out)

        return start

    return start_in


@pytest.mark.parametrize("mutant", MUTANTS)
def test_what_does_more_is_noticed(mutant, forking, capsys):
    module, change, said, floor = MUTANTS[mutant]
    start = forking({"MUTANT_MODULE": module, "MUTANT_CHANGE": change})
    kind = {"a state that is none": "state", "a signature that is not looked at": "snapshot"}.get(mutant, "encoding")
    assert not fuzz_states.run(options(cases=1_500, only=kind), start)
    out = capsys.readouterr().out
    assert len(re.findall(said, out)) >= floor, out
