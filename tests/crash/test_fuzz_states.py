"""Some of `make fuzz-states`, and its mutants."""

import argparse
import re

import fuzz_states
import pytest


def options(**changes):
    default = {"cases": 20_000, "start": 0, "step": 1, "seed": 5, "only": ",".join(fuzz_states.KINDS)}
    return argparse.Namespace(**default | changes)


def test_what_nobody_wrote_is_refused_or_read_and_does_nothing_else():
    assert fuzz_states.run(options())


READER, SEALED = "headrace.learning.encoding.reader", "headrace.learning.snapshot.sealed"
MUTANTS = {
    "a file": (READER, "table.find = lambda tag, own=None: open('/dev/null')", r"\[\"open \('/dev/null'", 6),
    "an import": (READER, "table.find = lambda tag, own=None: sys.modules.pop('colorsys', 0) and 0 or __import__('colorsys')", r"\[\"import \('colorsys'", 6),
    "a changed class": (READER, "_fill = lambda made, shape, names, values: setattr(shape.kind, 'mark', made)", "a class or a function was changed", 1),
    "an error of another kind": (READER, "Reader.read = lambda self: sys.exit(3)", r"raised SystemExit\(3\)", 6),
    "memory": (READER, "Reader.read = lambda self: bytearray(4 << 30)", "MemoryError", 6),
    "time": (READER, "Reader.read = lambda self: sum(range(5 * 10**7))", r"took \d+\.\d s", 6),
    "a state that is none": (SEALED, "check = lambda *_: None", r"\(state\) raised", 6),
    "a signature that is not looked at": (SEALED, "hmac = __import__('types').SimpleNamespace(new=hmac.new, compare_digest=lambda *_: True)", r"\(snapshot\) raised AssertionError", 6),
    "a signal": (READER, "table.find = lambda tag, own=None: __import__('os').abort()", "ended with status -6", 1),
}  # fmt: skip
"""The module that is changed and how, what must be said of it, and how often: the child stops after its sixth wrong case."""


@pytest.mark.parametrize("mutant", MUTANTS)
def test_what_does_more_is_noticed(mutant, tmp_path, monkeypatch, capsys):
    module, change, said, floor = MUTANTS[mutant]
    script = tmp_path / "mutant.py"
    script.write_text(
        f"import sys\nsys.path[:0] = {[str(fuzz_states.ROOT), str(fuzz_states.ROOT / 'tests'), str(fuzz_states.ROOT / 'tests/crash')]!r}\n"
        f"import fuzz_states\nimport {module} as module\n"
        f"fuzz_states.begin = lambda: exec({change!r}, vars(module) | {{'sys': sys}}, vars(module))\nfuzz_states.main()\n"
    )
    monkeypatch.setattr(fuzz_states, "__file__", str(script))
    kind = {"a state that is none": "state", "a signature that is not looked at": "snapshot"}.get(mutant, "encoding")
    assert not fuzz_states.run(options(cases=1_500, only=kind))
    out = capsys.readouterr().out
    assert len(re.findall(said, out)) >= floor, out
