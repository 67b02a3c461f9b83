"""Some of `make fuzz-states`, and its mutants."""

import argparse

import fuzz_states
import pytest


def options(**changes):
    default = {"cases": 20_000, "start": 0, "step": 1, "seed": 5, "only": ",".join(fuzz_states.KINDS)}
    return argparse.Namespace(**default | changes)


def test_what_nobody_wrote_is_refused_or_read_and_does_nothing_else():
    assert fuzz_states.run(options())


MUTANTS = {
    "a file": ("headrace.learning.encoding.reader", "table.find = lambda tag, own: open('/dev/null')"),
    "an import": ("headrace.learning.encoding.reader", "table.find = lambda tag, own: sys.modules.pop('colorsys', None) and __import__('colorsys') or __import__('colorsys')"),
    "a changed class": ("headrace.learning.encoding.reader", "_fill = lambda made, shape, names, values: setattr(shape.kind, 'mark', made)"),
    "an error of another kind": ("headrace.learning.encoding.reader", "Reader.read = lambda self: sys.exit(3)"),
    "memory": ("headrace.learning.encoding.reader", "Reader.read = lambda self: bytearray(4 << 30)"),
    "time": ("headrace.learning.encoding.reader", "Reader.read = lambda self: sum(range(10**8))"),
    "a state that is none": ("headrace.learning.snapshot.sealed", "check = lambda state, fresh: None"),
    "a signature that is not looked at": ("headrace.learning.snapshot.sealed", "hmac = __import__('types').SimpleNamespace(new=hmac.new, compare_digest=lambda *_: True)"),
    "a signal": ("headrace.learning.encoding.reader", "table.find = lambda tag, own: __import__('os').abort()"),
}  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS)
def test_what_does_more_is_noticed(mutant, tmp_path, monkeypatch):
    module, change = MUTANTS[mutant]
    changed = f"import {module} as module\nexec({change!r}, vars(module))\n"
    script = tmp_path / "mutant.py"
    script.write_text(
        f"import sys\nsys.path[:0] = {[str(fuzz_states.ROOT), str(fuzz_states.ROOT / 'tests'), str(fuzz_states.ROOT / 'tests/crash')]!r}\n"
        f"import fuzz_states\nmade = fuzz_states.Mutator.__init__\n"
        f"def make(self):\n    made(self)\n    exec({changed!r})\n"
        f"fuzz_states.Mutator.__init__ = make\nfuzz_states.main()\n"
    )
    monkeypatch.setattr(fuzz_states, "__file__", str(script))
    only = "snapshot" if "signature" in mutant else ",".join(fuzz_states.KINDS)
    assert not fuzz_states.run(options(cases=3_000, only=only))
