"""The console of a running protection, in a browser on its host."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

from playwright.sync_api import Browser, BrowserContext, Playwright, StorageState, ViewportSize

from testbed.browser import open_browser
from testbed.protection import Protection

ADDRESS: Final = "127.0.0.1:8470"
"""For :class:`~testbed.protection.Protection`, ``console=``."""
URL: Final = f"http://{ADDRESS}"
Scheme = Literal["light", "dark"]
_VIEWPORT: Final[ViewportSize] = {"width": 1280, "height": 800}


class Console:
    """One browser, with a profile for each role."""

    def __init__(self, protection: Protection, browser: Browser) -> None:
        self.protection = protection
        self.browser = browser
        self._signed_in: dict[str, StorageState] = {}

    def link(self, role: str = "operator") -> str:
        """Return a link that signs in once."""
        return self.protection.run("console", "login", "--role", role).strip()

    def context(self, scheme: Scheme = "light", *, role: str = "operator", bypass_csp: bool = False) -> BrowserContext:
        """Return a fresh profile that is signed in; close it after use."""
        if role not in self._signed_in:
            with self.browser.new_context() as context:
                page = context.new_page()
                page.goto(self.link(role))
                page.wait_for_url(f"{URL}/")
                self._signed_in[role] = context.storage_state()
        return self.browser.new_context(
            base_url=URL,
            storage_state=self._signed_in[role],
            color_scheme=scheme,
            viewport=_VIEWPORT,
            bypass_csp=bypass_csp,
        )

    def stranger(self) -> BrowserContext:
        """Return a fresh profile that is not signed in; close it after use."""
        return self.browser.new_context(base_url=URL, viewport=_VIEWPORT)


@contextmanager
def open_console(playwright: Playwright, protection: Protection) -> Iterator[Console]:
    """Open the console of a running protection; the browser ends with the block."""
    with open_browser(playwright, protection.engine.network, protection.engine.folder) as browser:
        yield Console(protection, browser)
