"""A real browser for tests of pages: Chromium or Chrome without a window, where there is one.

A copy of a page gets one more script, which does what a reader does and writes down what came of it.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import tempfile
from typing import Any

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome on this machine")
SCHEMES = {"dark": "--blink-settings=preferredColorScheme=0", "light": "--blink-settings=preferredColorScheme=1"}
WATCH = """<script>
const problems = [];
addEventListener("error", event => problems.push(String(event.message)));
addEventListener("unhandledrejection", event => problems.push(String(event.reason)));
addEventListener("securitypolicyviolation", event => problems.push(`${event.violatedDirective} ${event.blockedURI}`));
console.error = console.warn = (...told) => problems.push(told.join(" "));
</script>"""
TELL = """<script type="module">
const found = {};
%s
found.problems = problems;
const output = document.createElement("output");
output.id = "found";
output.textContent = JSON.stringify(found);
document.body.append(output);
</script>"""


def acted(page: str, script: str) -> str:
    """The HTML of a page with a script that fills `found`, which is `told` afterwards."""
    return page.replace("<title>", WATCH + "<title>", 1).replace("</body>", TELL % script + "</body>")


def told(address: str, *options: str) -> dict[str, Any]:
    """What the script of a page found."""
    page = browse(address, "--dump-dom", *options)
    output = re.search(r'<output id="found">(.*?)</output>', page, re.DOTALL)
    assert output, page[-3000:]
    return json.loads(html.unescape(output[1]))


def browse(address: str, *options: str) -> str:
    """What headless Chromium prints; the profile is thrown away."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            BROWSER,
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"),
            *("--no-first-run", "--disable-background-networking", "--virtual-time-budget=3000"),
            f"--user-data-dir={profile}",
            *options,
            address,
        ]
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
