"""A real Chromium on a host of the test bed: in the engine's network namespace, where the console listens on loopback.

From there it reaches nothing but that host, so no page can call anybody.
"""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Playwright

from testbed.namespace import Namespace

CHROMIUM: Final = Path("/usr/bin/chromium")
_FLAGS: Final = (
    "--headless",
    "--no-sandbox",  # tests run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def open_browser(playwright: Playwright, host: Namespace, folder: Path) -> Iterator[Browser]:
    """Start a browser on a host; it ends with the block.

    :param playwright: what drives it; there can be one in a process
    :param folder: where the script that enters the namespace is kept
    """
    script = folder / "chromium"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(host.command([str(CHROMIUM)]))} "$@"\n')
    script.chmod(0o755)
    browser = playwright.chromium.launch(executable_path=script, args=list(_FLAGS))
    try:
        yield browser
    finally:
        browser.close()
