"""How tests look at a page: at which widths and schemes, what they wait for, and what axe finds."""

from pathlib import Path

AXE = Path(__file__).parent / "axe" / "axe.js"


def wait_for(page, script, argument=None):
    page.wait_for_function(script, arg=argument)


def serious_faults(page):
    """What axe finds. A script element would break the page's policy, so axe comes in by the debugger."""
    page.evaluate(AXE.read_text() + "; undefined")
    found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    return [
        (one["id"], [node["html"] for node in one["nodes"]])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


LOOKS = [(1440, "light", True), (390, "light", False), (390, "dark", True), (1440, "dark", False)]
"""Widths and schemes. Axe is slow: it sees each width once, and each scheme once."""
