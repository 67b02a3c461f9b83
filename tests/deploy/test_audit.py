"""The audit of locked packages: what is known fails, and what cannot be asked does not."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("audit", ROOT / "deploy" / "audit.py")
audit = importlib.util.module_from_spec(spec)
sys.modules["audit"] = audit
spec.loader.exec_module(audit)

SOUND = {"name": "sound", "version": "2.0", "vulns": []}
SKIPPED = {"name": "private", "skip_reason": "Dependency not found on PyPI"}
BROKEN = {
    "name": "mill",
    "version": "1.0",
    "vulns": [{"id": "CVE-1", "fix_versions": [], "aliases": [], "description": "x"}],
}


@pytest.mark.parametrize(
    ("found", "status", "words"),
    [
        ([SOUND], 0, ["1 of 1 packages"]),
        ([SOUND, SKIPPED], 0, ["1 of 2 packages"]),
        ([SKIPPED, SKIPPED], 0, ["skipped", "cannot be reached"]),
        ([], 0, ["skipped"]),
        ([SOUND, BROKEN], 1, ["mill 1.0 has CVE-1, mended in no version yet"]),
        ([SKIPPED, BROKEN], 1, ["mill 1.0 has CVE-1", "1 of 2 packages"]),
    ],
)
def test_what_is_known_fails_and_what_cannot_be_asked_does_not(found, status, words):
    exit_status, said = audit.judge(msgspec.json.encode({"dependencies": found, "fixes": []}))
    assert exit_status == status
    assert all(word in said for word in words)


def test_where_pip_audit_fails_or_is_not_there_one_line_says_so(tmp_path):
    python = tmp_path / "python"
    python.symlink_to(sys.executable)
    code = f"import sys; sys.executable = {str(python)!r}; sys.path.insert(0, {str(ROOT / 'deploy')!r}); import audit; sys.exit(audit.main())"

    def run():
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
        return done.returncode, done.stdout.strip().split("\n")

    for script in (None, "#!/bin/sh\necho 'cannot connect' >&2; exit 1\n"):
        if script:
            (tmp_path / "pip-audit").write_text(script)
            (tmp_path / "pip-audit").chmod(0o755)
        status, (line,) = run()
        assert status == 0
        assert line.startswith("audit: skipped")
