"""The wheel and the sdist hold `headrace/` alone, and what is installed from them is not led astray by packages of the same names."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile

import pytest
from harness import ROOT, Worker
from thorough import IS_THOROUGH

BUILT_OF = ("headrace", "app", "agents", "tables", "learning", "typings", "pyproject.toml", "README.md", "LICENSE")
DECOY = "raise ImportError('this is another project')\n"
MODEL = """
from river import linear_model, preprocessing


def make():
    return preprocessing.StandardScaler() | linear_model.LogisticRegression()
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of the wheel and the sdist, built of a copy of what they are made of."""
    folder = tmp_path_factory.mktemp("built")
    copy = folder / "copy"
    copy.mkdir()
    for name in BUILT_OF:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy)
    for hook in ("build_wheel", "build_sdist"):
        code = f"from setuptools import build_meta; build_meta.{hook}({str(folder)!r})"
        subprocess.run([sys.executable, "-c", code], cwd=copy, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """The `bin` of a fresh virtual environment with the wheel, the dependencies of this one, and decoys."""
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    (wheel,) = built.glob("*.whl")
    install = [sys.executable, "-m", "pip", "--python", environment / "bin" / "python", "install", "--no-deps"]
    subprocess.run([*install, "--quiet", "--disable-pip-version-check", wheel], check=True)
    packages = next(environment.glob("lib/*/site-packages"))
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    for name in ("app", "agents", "tables", "learning"):
        (packages / name).mkdir()
        (packages / name / "__init__.py").write_text(DECOY)
    return environment / "bin"


def run(installed, *command, cwd):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [installed / command[0], *command[1:]], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_holds_one_package(built):
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names} == {"headrace", f"{wheel.name.rpartition('-py3')[0]}.dist-info"}
    for wanted in (
        "headrace/py.typed",
        "headrace/learning/fold/learner.py",
        "headrace/app/demo/killed.py",
        "headrace/__main__.py",
    ):
        assert wanted in names
    modules = [name for name in names if name.endswith(".py")]
    assert len(modules) == len(list((ROOT / "headrace").glob("*.py"))) + sum(
        len(list((ROOT / room).rglob("*.py"))) for room in ("app", "agents", "tables", "learning")
    )


def test_the_sdist_holds_the_same_modules(built):
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    packaged = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("headrace/")}
    assert packaged <= inside
    assert {name.partition("/")[0] for name in inside if name.endswith((".py", ".pyi"))} == {"headrace"}


def test_it_is_imported_from_where_it_was_installed(installed, tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").write_text(DECOY)
    code = "import headrace, headrace.app.cli; print(headrace.__version__, headrace.app.cli.__file__)"
    version, file = run(installed, "python", "-c", code, cwd=tmp_path).split()
    assert version == "0.1.0"
    assert file.startswith(str(installed.parent))
    assert version in run(installed, "headrace", "--version", cwd=tmp_path)


def test_a_model_of_ones_own_lies_in_an_app_of_ones_own(installed, tmp_path, broker):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").write_text("")
    (tmp_path / "app" / "models.py").write_text(MODEL)
    worker = Worker(tmp_path, broker, '[tasks.own]\nkind = "binary"\nmodel = "app.models:make"\n')
    worker.command, worker.path = [installed / "headrace"], ""
    try:
        worker.start().wait_ready()
        assert worker.post("/v1/own/predict", {"features": {"x": 1.0}})[0] == 200
    finally:
        worker.stop("SIGKILL")


FIRST_ACT = """
import headrace.app.cli.demo as demo
demo.ACTS = demo.ACTS[:1]
demo.demo()
"""


def test_the_demo_runs(installed, tmp_path, broker):
    """In `make test` the first act alone: tests/app/test_demo.py has the others."""
    command = ["headrace", "demo"] if IS_THOROUGH else ["python", "-c", FIRST_ACT]
    told = run(installed, *command, "--broker", broker, cwd=tmp_path)
    assert "0.887200" in told
    text = " ".join(told.split())
    assert "Equal to the last bit." in text
    if IS_THOROUGH:
        for said in ("Equal, and no question failed.", "the guard 'degraded': rolled back from"):
            assert said in text
