"""Looks up known vulnerabilities of what requirements.txt locks: `make check` runs it.

    .venv/bin/python deploy/audit.py [REQUIREMENTS]

pip-audit asks the advisory database of PyPI. Where that cannot be reached nothing is known, and nothing fails: one line says so. A
vulnerability that is known fails.
"""

import subprocess
import sys
from pathlib import Path

import msgspec

SECONDS_MAX = 180
"""How long the database may take for all packages."""


class Vulnerability(msgspec.Struct):
    """A known one: its id, and the versions that are without it."""

    id: str
    fix_versions: list[str] = []


class Dependency(msgspec.Struct):
    """A locked package: what is known of it, or why nothing is."""

    name: str
    version: str = ""
    vulns: list[Vulnerability] = []
    skip_reason: str | None = None


class Report(msgspec.Struct):
    """What pip-audit writes."""

    dependencies: list[Dependency]


def judge(written: bytes) -> tuple[int, str]:
    """The exit status, and what to print, for what pip-audit has written: nothing, if it could not ask.

    Examples
    --------
    >>> judge(b"")
    (0, 'audit: skipped, the advisory database cannot be reached')
    >>> judge(b'{"dependencies": [{"name": "mill", "version": "1.0", "vulns": [{"id": "CVE-1", "fix_versions": ["1.1"]}]}]}')
    (1, 'audit: mill 1.0 has CVE-1, mended in 1.1. Raise it: make lock')
    """
    try:
        found = msgspec.json.decode(written, type=Report).dependencies
    except msgspec.MsgspecError:
        found = []
    asked = [one for one in found if one.skip_reason is None]
    if not asked:
        return 0, "audit: skipped, the advisory database cannot be reached"
    lines = [
        f"audit: {one.name} {one.version} has {known.id}, mended in {', '.join(known.fix_versions) or 'no version yet'}. Raise it: make lock"
        for one in asked
        for known in one.vulns
    ]
    if len(asked) < len(found) or not lines:
        lines.append(f"audit: {len(asked)} of {len(found)} packages looked up")
    return int(any(one.vulns for one in asked)), "\n".join(lines)


def main() -> int:
    """Audit the file; the exit status."""
    requirements = sys.argv[1] if len(sys.argv) > 1 else "requirements.txt"
    command = [
        str(Path(sys.executable).with_name("pip-audit")),
        "--require-hashes",
        "--disable-pip",
        "--progress-spinner=off",
    ]
    command += ["--format=json", "-r", requirements]
    try:
        written = subprocess.run(command, capture_output=True, timeout=SECONDS_MAX, check=False).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"audit: skipped, pip-audit does not run: {error}")
        return 0
    status, said = judge(written)
    print(said)
    return status


if __name__ == "__main__":
    sys.exit(main())
