"""The stubs in `typings/` agree with the installed libraries, so that an upgrade which changes a used member is noticed."""

import ast
import importlib
import inspect
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STUBS = ROOT / "typings"
PACKAGES = sorted(path.name for path in STUBS.iterdir() if path.is_dir())


def differences(stubs, *packages):
    """Return the differences that mypy's stubtest reports between stubs and the installed packages."""
    config = stubs.with_name("mypy.toml")
    config.write_text(f'[tool.mypy]\nmypy_path = "{stubs}"\ncache_dir = "{ROOT / ".mypy_cache/stubtest"}"\n')
    allowed = ["--allowlist", str(STUBS / "allowlist.txt"), *["--ignore-unused-allowlist"] * (packages != (*PACKAGES,))]
    command = [sys.executable, "-m", "mypy.stubtest", *packages, "--ignore-missing-stub", "--concise", *allowed]
    command += ["--mypy-config-file", str(config)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=stubs.parent, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def instance_attributes(stubs):
    """Yield the attributes that stubs declare of classes and their instances. Stubtest does not check those of instances."""
    for path in sorted(stubs.rglob("*.pyi")):
        module = ".".join(path.relative_to(stubs).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not any(
                "type_check_only" in ast.unparse(d) for d in node.decorator_list
            ):
                names = [part.target.id for part in node.body if isinstance(part, ast.AnnAssign)]
                yield from ((module, node.name, name) for name in names)


def has_attribute(module, kind, name):
    """Return whether a class has or declares an attribute, a method sets it, or the schema of a struct of aiokafka names it."""
    found = getattr(importlib.import_module(module), kind)
    if hasattr(found, name) or name in getattr(getattr(found, "SCHEMA", None), "names", ()):
        return True
    return any(name in vars(base).get("__annotations__", ()) or name in set_by(base) for base in found.__mro__)


def set_by(kind):
    """Return the attributes that the methods of a class set, if it is written in Python."""
    if kind.__module__ == "builtins":
        return set()
    nodes = ast.walk(ast.parse(textwrap.dedent(inspect.getsource(kind))))
    attributes = [node for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)]
    return {node.attr for node in attributes if ast.unparse(node.value) == "self"}


def test_the_stubs_agree_with_what_is_installed(tmp_path):
    shutil.copytree(STUBS, tmp_path / "typings")
    assert differences(tmp_path / "typings", *PACKAGES) == "", "mend typings/, and whatever uses the member"


def test_every_attribute_that_a_stub_declares_is_there():
    lacking = [attribute for attribute in instance_attributes(STUBS) if not has_attribute(*attribute)]
    assert not lacking


MUTANTS = [
    (
        "faust/transport/consumer.pyi",
        "def _wait_next_records(",
        "def _wait_next_batch(",
        "_wait_next_batch is not present",
    ),
    ("faust/transport/drivers/aiokafka.pyi", "now: float, tp", "when: float, tp", 'parameter "when" differs'),
    ("mode/services.pyi", "def should_stop", "def must_stop", "must_stop is not present"),
    ("mode/utils/logging.pyi", "level_name", "name_of_level", "name_of_level is not present"),
    (
        "faust/app/base.pyi",
        "concurrency: int = 1",
        "concurrency: int = 2",
        'parameter "concurrency" has a default value of 1',
    ),
]


def test_what_differs_is_noticed(tmp_path):
    stubs = shutil.copytree(STUBS, tmp_path / "typings")
    for path, there, put, _ in MUTANTS:
        text = (stubs / path).read_text()
        assert there in text
        (stubs / path).write_text(text.replace(there, put))
    found = differences(stubs, "faust", "mode")
    assert [violation for *_, violation in MUTANTS if violation not in found] == []


@pytest.mark.parametrize(
    ("module", "kind", "name"),
    [
        ("aiokafka.consumer.consumer", "AIOKafkaConsumer", "_shut"),
        ("aiokafka.protocol.admin", "DescribeConfigsResponse_v0", "answers"),
        ("faust.web.drivers.aiohttp", "Web", "_walker"),
    ],
)
def test_an_attribute_that_is_not_there_is_noticed(module, kind, name):
    assert not has_attribute(module, kind, name)
