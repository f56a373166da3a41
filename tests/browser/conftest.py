"""The distribution's Chromium, without a network. What is missing is the reason for which a test is skipped."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""Its command, as distributions call it. Playwright's own download is not used: it needs a network, and is 150 MB."""
FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
"""No sandbox: a container's root has none to give. The pages are our own."""


@dataclass
class Opened:
    """A page, and what a user would not see of it."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    """Messages of the console, and errors of scripts."""
    requests: list[str] = field(default_factory=list)
    """All that was asked for but the page itself."""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="needs Playwright: make browser")
    command = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if command is None:
        pytest.skip("needs Chromium: make browser")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=command, args=FLAGS)
        yield browser
        browser.close()


class Browser:
    """Opens files as a user would, each in a window of its own."""

    def __init__(self, chromium: Any) -> None:
        self._chromium = chromium
        self._contexts: list[Any] = []

    def open(self, path: Path, *, width: int = 1280, scheme: str = "light", scripts: bool = True) -> Opened:
        context = self._chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=scripts
        )
        self._contexts.append(context)
        context.set_offline(True)
        opened = Opened(context.new_page())
        opened.page.on("console", lambda message: opened.complaints.append(message.text))
        opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        address = path.absolute().as_uri()
        opened.page.on(
            "request",
            # data: is within the page
            lambda asked: (
                None if asked.url == address or asked.url.startswith("data:") else opened.requests.append(asked.url)
            ),
        )
        opened.page.goto(address, wait_until="load")
        return opened

    def close(self) -> None:
        for context in self._contexts:
            context.close()


@pytest.fixture
def browser(chromium: Any) -> Iterator[Browser]:
    browser = Browser(chromium)
    yield browser
    browser.close()
