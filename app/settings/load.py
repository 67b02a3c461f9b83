"""Reads `headrace.toml` once and checks it as a whole."""

import importlib
import math
import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from headrace.app.credentials import BrokerTls, Sasl, WebTls
from headrace.app.peers import Address, PeerEntry
from headrace.app.settings.notify import Notify, check_notify
from headrace.app.settings.onnx_files import read_onnx
from headrace.app.settings.section import read_section, unknown_key, wrong_value
from headrace.app.settings.settings import Settings
from headrace.app.settings.tables import Broker, Features, Worker
from headrace.app.settings.task import import_from, read_task
from headrace.learning.errors import SettingsError
from headrace.learning.plain import plain_failure

DEFAULT = "headrace.toml"
PORT_MAX = 65_535

SECTIONS = ["broker", "worker", "features", "notify", "tasks"]


def load(path: str | None = None, *, check_models: bool = True) -> Settings:
    """Read the settings from a file: `path`, or else that of HEADRACE_CONFIG, or else `headrace.toml` in the working folder.

    Parameters
    ----------
    path
        The file.
    check_models
        Whether to make each model, detector and reaction once, so that errors in their settings are found. This imports River, which takes
        seconds. Otherwise ONNX files and the user's own modules are not read either. A command that only asks a worker needs none of it.

    Raises
    ------
    SettingsError
        A setting is wrong; the text names the file, the key and the remedy.
    """
    file = Path(path or os.environ.get("HEADRACE_CONFIG") or DEFAULT)
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{file} is not there.", "Make one: headrace init. Or name it: --config FILE.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} cannot be read: {plain_failure(error)}.", "Name a readable text file.") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} is not TOML: {error}.", "Correct that line.") from None
    return parse(raw, file, check_models=check_models)


def parse(raw: dict[str, object], path: Path, *, check_models: bool = True) -> Settings:
    """Make settings from the parsed TOML of a file; `check_models` and what it raises are those of `load`."""
    for key in raw:
        if key not in SECTIONS:
            raise unknown_key(path, "", key, SECTIONS)
    broker = read_section(path, "broker", raw.get("broker", {}), Broker, {"tls": BrokerTls, "sasl": Sasl})
    worker = read_section(path, "worker", raw.get("worker", {}), Worker, {"tls": WebTls})
    if not 0 < int(worker.web.rpartition(":")[2]) <= PORT_MAX:
        raise wrong_value(path, "worker.web", "names a port that is not from 1 to 65535", "Name another port.")
    _check_reach(path, worker)
    if not math.isfinite(worker.snapshot_seconds):
        raise wrong_value(path, "worker.snapshot_seconds", "is not finite", "Give a number of seconds.")
    features = read_section(path, "features", raw.get("features", {}), Features)
    _check_features(path, features)
    if check_models:
        _import_modules(path, worker.modules)
        for number, file in enumerate(worker.onnx):
            read_onnx(path, f"worker.onnx[{number}]", file)
    declared = raw.get("tasks", {})
    if not isinstance(declared, dict) or not declared:
        raise wrong_value(path, "tasks", "has no task", "Declare one: [tasks.NAME] with a kind.")
    tasks = {name: read_task(path, name, table, check_models=check_models) for name, table in declared.items()}
    notify = read_section(path, "notify", raw["notify"], Notify) if "notify" in raw else None
    if notify is not None:
        check_notify(path, notify, tasks)
    return Settings(path=path, broker=broker, worker=worker, features=features, notify=notify, tasks=tasks)


def _check_reach(path: Path, worker: Worker) -> None:
    name, address, remedy = "address", worker.address, "Write it like http://10.0.0.5:6066: no path, and always a port."
    if address is None:
        name, address = "web", f"http://{worker.web}"
        remedy = "Write it like 127.0.0.1:6066, or set worker.address to where others reach this worker."
    try:
        Address.parse(address)
    except ValueError as error:
        raise wrong_value(path, f"worker.{name}", f"is wrong: {error}", remedy) from None
    for number, entry in enumerate(worker.peers or ()):
        try:
            PeerEntry.parse(entry)
        except ValueError as error:
            remedy = "Write a host, host:port, or a network like 10.0.0.0/8."
            raise wrong_value(path, f"worker.peers[{number}]", f"is wrong: {error}", remedy) from None


def _import_modules(path: Path, modules: Sequence[str]) -> None:
    """Import the modules from which models may come that no task here names: what they define may be in a state."""
    for number, module in enumerate(modules):
        import_from(str(path.resolve().parent))
        try:
            importlib.import_module(module)
        except Exception as error:  # noqa: BLE001 a module of the user's own fails in any way
            remedy = "Put it beside the settings, or install it; or take its name out."
            raise wrong_value(
                path, f"worker.modules[{number}]", f"cannot be imported: {plain_failure(error)}", remedy
            ) from None


def _check_features(path: Path, features: Features) -> None:
    try:
        if features.ttl_seconds == 0:
            raise ValueError("0 is no time to live")
    except ValueError as error:
        raise wrong_value(
            path, "features.ttl", f"is wrong: {error}", 'Write for example "7d", or leave it out.'
        ) from None
    if features.url is None:
        return
    try:  # the error does not show the URL, since any part of a wrong URL may be a password
        parts = urlsplit(features.url)
        fits = parts.scheme in ("redis", "rediss") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        fits = False
    if not fits:
        form = "redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], or rediss:// for TLS"
        raise wrong_value(path, "features.url", f"is not {form}", "Percent-encode what is special in the password.")
