import os
import pickle
import random
import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest
from river import proba

from learning.arm import Arm
from learning.constituents import CLASSES, FUNCTIONS, Finder
from learning.errors import SnapshotError
from learning.learner import State
from learning.state import digest, dump, load


def named(module, name):
    """A pickle that is a class or function."""
    told = b"".join(b"\x8c" + bytes([len(text.encode())]) + text.encode() for text in (module, name))
    return b"\x80\x05" + told + b"\x93."


def called(module, name, *arguments):
    """A pickle that is what a function gives."""
    return named(module, name)[:-1] + pickle.dumps(arguments, 5)[2:-1] + b"R."


def built(thing, state):
    """A pickle that puts a state into what another pickle is."""
    return thing[:-1] + pickle.dumps(state, 5)[2:-1] + b"b."


class Calls:
    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


@pytest.fixture
def own(monkeypatch):
    """A user's module with a model, a function, and what it has imported."""
    module = ModuleType("shop_models")
    code = "import os\nfrom os import system\nclass Mine:\n    def __init__(self):\n        self.seen = 0\ndef grow(x):\n    return x\n"
    exec(code, module.__dict__)
    monkeypatch.setitem(sys.modules, "shop_models", module)
    return module


class TestAUsersOwnModel:
    def test_its_classes_and_functions_are_found_when_its_module_is_named(self, own):
        mine = own.Mine()
        mine.by = own.grow
        back = load(dump(mine), also=("shop_models",))
        assert type(back) is own.Mine
        assert back.by is own.grow
        assert digest(back) == digest(mine)

    @pytest.mark.parametrize("also", [(), ("shop",), ("shop_models.deeper",), ("shop_model",)])
    def test_it_is_refused_otherwise(self, own, also):
        with pytest.raises(SnapshotError, match=r"shop_models\.Mine, which is no part of a model"):
            load(dump(own.Mine()), also=also)

    @pytest.mark.parametrize("name", ["os.system", "os", "system", "Mine.__init__", "grow.__globals__", "__dict__"])
    def test_what_its_module_has_imported_is_not_found(self, own, name):
        with pytest.raises(SnapshotError, match="no class of a model"):
            load(named("shop_models", name), also=("shop_models",))

    def test_a_module_below_it_is_found(self, own, monkeypatch):
        below = ModuleType("shop_models.trees")
        exec("class Tree: pass", below.__dict__)
        monkeypatch.setitem(sys.modules, "shop_models.trees", below)
        assert type(load(dump(below.Tree()), also=("shop_models",))) is below.Tree


FORBIDDEN = [
    ("os", "system"), ("posix", "system"), ("nt", "system"), ("os", "popen"), ("subprocess", "Popen"), ("subprocess", "run"),
    ("builtins", "eval"), ("builtins", "exec"), ("builtins", "compile"), ("builtins", "__import__"), ("builtins", "open"),
    ("builtins", "type"), ("builtins", "setattr"), ("builtins", "delattr"), ("builtins", "vars"), ("builtins", "map"),
    ("builtins", "iter"), ("builtins", "classmethod"), ("builtins", "super"), ("builtins", "breakpoint"), ("builtins", "__dict__"),
    ("importlib", "import_module"), ("pickle", "loads"), ("_pickle", "loads"), ("marshal", "loads"), ("runpy", "run_path"),
    ("types", "FunctionType"), ("types", "CodeType"), ("operator", "attrgetter"), ("operator", "methodcaller"),
    ("functools", "reduce"), ("functools", "partial.__class__"), ("copyreg", "add_extension"), ("copyreg", "_reconstructor"),
    ("_codecs", "encode"), ("codecs", "open"), ("shutil", "rmtree"), ("pathlib", "Path"), ("tempfile", "mkdtemp"),
    ("ctypes", "CDLL"), ("socket", "socket"), ("webbrowser", "open"), ("antigravity", "fly"), ("timeit", "timeit"),
    ("numpy", "load"), ("numpy", "fromfile"), ("numpy", "save"), ("numpy.testing._private.utils", "runstring"), ("numpy.f2py", "compile"),
    ("sys", "modules"), ("sys", "exit"), ("random", "_os"), ("random", "SystemRandom"), ("collections", "_sys"), ("copy", "copyreg"),
    ("learning.codec", "load"), ("learning.codec", "io"), ("learning.codec", "pickle.loads"), ("learning.constituents", "Finder"),
    ("learning.models", "build"), ("learning.models", "_imported"), ("learning.models", "importlib.import_module"),
    ("learning.snapshot", "unseal"), ("learning.learner", "Any"), ("learning.arm.Arm", "predict"), ("learning", "arm"),
    ("river", "datasets"), ("river.datasets", "SMSSpam"), ("river.datasets.base", "RemoteDataset"), ("river.stream", "iter_csv"),
    ("river.stream", "Cache"), ("river.stream.cache", "Cache"), ("river.compat", "convert_sklearn_to_river"), ("river.api", "datasets"),
    ("river.drift.datasets", "UWB"), ("river.anomaly.test_hst", "HalfSpaceTrees"), ("river.checks", "check_estimator"),
    ("river.base", "__class__"), ("river.base", "__class__.__base__"), ("river.base", "__class__.__class__"), ("river.base", "__builtins__"),
    ("river.base.base", "Base.__class__"), ("river.base.base", "Base.__init__.__globals__"), ("river.base.base", "Base.mutate"),
    ("river.base.base", "inspect.sys.modules"), ("river.base.base", "Base.__subclasses__"), ("river.base.base", "typing.Any"),
    ("river.utils.context_managers", "log_method_calls"), ("river.utils.pretty", "print_table"), ("river.optim.losses", "math.exp"),
    ("river..base", "Base"), ("river.", "Base"), ("", "Base"), ("", ""), (".", "."), ("river.base", ""), ("river.base", "."),
    ("river.nothing", "Nothing"), ("river.tree", "Nothing"), ("river.tree.nothing", "Nothing"), ("learning.arm", "arm.Nothing"),
]  # fmt: skip


class TestRefusals:
    @pytest.mark.parametrize(("module", "name"), FORBIDDEN)
    def test_a_state_names_only_what_models_are_made_of(self, module, name):
        before = set(sys.modules)
        with pytest.raises(SnapshotError):
            load(named(module, name))
        assert not {other for other in set(sys.modules) - before if not other.startswith("river.")}

    def test_a_plain_unpickler_would_find_most_of_them(self):
        """The mutant: what is refused above is there to be found."""
        found = 0
        for module, name in FORBIDDEN:
            if module not in ("antigravity", "river.anomaly.test_hst"):
                try:
                    pickle.loads(named(module, name))
                    found += 1
                except Exception:
                    pass
        assert found > len(FORBIDDEN) / 2

    def test_no_module_is_imported_for_the_asking(self):
        code = """
import sys
from learning.state import load
from learning.errors import SnapshotError
before = set(sys.modules)
for module in ("antigravity", "turtledemo", "this", "river.datasets", "river.stream", "learning.nothing", "xmlrpc.client"):
    told = b"".join(b"\\x8c" + bytes([len(text)]) + text.encode() for text in (module, "a"))
    try:
        load(b"\\x80\\x05" + told + b"\\x93.")
    except SnapshotError:
        continue
    raise AssertionError(module)
assert set(sys.modules) == before, set(sys.modules) - before
"""
        subprocess.run([sys.executable, "-c", code], env={"PYTHONHASHSEED": "0"}, check=True)

    def test_a_command_is_not_run(self, tmp_path):
        mark = tmp_path / "mark"
        for function in (exec, eval):
            with pytest.raises(SnapshotError):
                load(pickle.dumps(Calls(function, f"open({str(mark)!r}, 'w')")))
        for function in (os.system, os.mkdir, open):
            with pytest.raises(SnapshotError):
                load(pickle.dumps([1, {"a": Calls(function, str(mark))}]))
        assert not mark.exists()

    def test_old_protocols_are_held_to_the_same(self):
        for protocol in range(6):
            with pytest.raises(SnapshotError):
                load(pickle.dumps(Calls(eval, "1"), protocol))
        with pytest.raises(SnapshotError):
            load(b"cos\nsystem\n(S'true'\ntR.")
        with pytest.raises(SnapshotError):
            load(b"(S'true'\nios\nsystem\n.")

    @pytest.mark.parametrize(
        ("value", "name"),
        [
            (State, "__init__"),
            (State, "__globals__"),
            (int, "__subclasses__"),
            (int, "from_bytes"),
            ("a", "format"),
            ("a", "__class__"),
            (str, "format"),
            (str, "join"),
            (np, "load"),
            (pickle, "loads"),
            (State, "nothing"),
            (proba.Gaussian(seed=1), "_rng"),
            (proba.Gaussian(seed=1), "__class__"),
            (proba.Gaussian(seed=1), "__init__"),
            (Arm, "learn"),
            (random.Random(1), "__reduce__"),
        ],
    )
    def test_attributes_are_not_a_way_out(self, value, name):
        if isinstance(value, ModuleType):
            data = named(value.__name__, name)
        else:
            data = pickle.dumps(Calls(getattr, value, name), 5)
        with pytest.raises(SnapshotError):
            load(data)

    def test_only_a_model_can_be_restored(self):
        for kind in (dict, State, random.Random, 1):
            with pytest.raises(SnapshotError):
                load(called("learning.codec", "_restore", kind, {}))

    @pytest.mark.parametrize(
        ("module", "name", "attribute"),
        [
            ("learning.arm", "Arm", "predict"),
            ("learning.arm", "Arm", "brand_new"),
            ("river.proba.gaussian", "Gaussian", "update"),
            ("collections", "Counter", "update"),
            ("copy", "deepcopy", "__defaults__"),
            ("copy", "deepcopy", "anything"),
            ("learning.codec", "_restore", "__kwdefaults__"),
            ("builtins", "getattr", "__defaults__"),
            ("river.naive_bayes.gaussian", "GaussianNB._make_gaussian", "__doc__x"),
        ],
    )
    def test_a_class_or_function_cannot_be_changed(self, module, name, attribute):
        thing = Finder().find(module, name)
        before = getattr(thing, attribute, None)
        wanted = ({},) if attribute == "__defaults__" else {"a": 1}
        wanted = () if attribute == "__defaults__" else wanted
        with pytest.raises(SnapshotError, match="tried to change"):
            load(built(named(module, name), (None, {attribute: wanted})))
        assert getattr(thing, attribute, None) is before

    def test_a_plain_unpickler_would_change_it(self, own):
        """The mutant: pickle itself sets attributes of classes."""
        pickle.loads(built(named("shop_models", "Mine"), (None, {"grown": 1})))
        assert own.Mine.grown == 1

    def test_what_is_named_exists(self):
        """A list of names that River no longer has would refuse every snapshot."""
        for module, name in FUNCTIONS | CLASSES:
            assert callable(Finder().find(module, name))
