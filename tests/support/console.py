"""The Prefect UI in a real browser: a served checkout, and what an operator clicks there."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tasks import api
from tests.support import guards
from tests.support.prefect_home import furnish
from tests.support.process import stop
from tests.support.session import REPOSITORY, clean_environment

if TYPE_CHECKING:
    from playwright.sync_api import Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_S = 120.0


def browser() -> str | None:
    """Return the system's Chromium, None where there is none."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@dataclass(frozen=True)
class Console:
    """A served checkout and a page of its UI."""

    url: str
    page: Page
    pictures: Path | None

    def ask(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return the JSON answer of one API call."""
        until = time.monotonic() + 30
        status, answer = api.call(f"{self.url}/api", path, until, dict(body))
        assert status < 300, (status, answer)
        return answer

    def deployment(self, name: str) -> str:
        """Return the id of a served deployment."""
        found = self.ask("/deployments/filter", {"deployments": {"name": {"any_": [name]}}})
        return str(found[0]["id"])

    def open_form(self, deployment: str, workspace: Path, picture: str = "") -> None:
        """Open a deployment's form, as the button Run does, and type the workspace."""
        self.page.goto(f"{self.url}/deployments/deployment/{self.deployment(deployment)}/run")
        self.page.wait_for_function("document.querySelector('textarea')?.value")
        self.page.wait_for_load_state("networkidle")
        self.picture(picture)
        self.after("workspace", "textarea").fill(str(workspace))

    def after(self, name: str, tag: str) -> Any:
        """Return the first element of this kind behind a parameter's name."""
        label = self.page.locator("label", has_text=f"{name} (Optional)").first
        return label.locator(f"xpath=following::{tag}[1]")

    def write(self, name: str, text: str, *, optional: bool = False) -> None:
        """Type a parameter's text; an optional one shows its box once its type is chosen."""
        if optional:
            self.after(name, "button[normalize-space()='str']").click()
            self.after(name, "textarea").fill(text)
        else:
            label = self.page.locator("label", has_text=name).first
            label.locator("xpath=following::textarea[1]").fill(text)

    def switch(self, name: str) -> None:
        """Flip a parameter's switch."""
        self.after(name, "input[@type='checkbox']").locator("xpath=..").click()

    def submit(self) -> str:
        """Submit the form, again where Prefect's database is busy; return the flow run's id."""
        from playwright.sync_api import TimeoutError as Late

        for _ in range(3):
            try:
                with self.page.expect_response("**/create_flow_run") as asked:
                    self.page.get_by_role("button", name="Submit").click()
            except Late:
                raise AssertionError(self.page.inner_text("body")) from None
            if asked.value.status < 500:
                break
        assert asked.value.ok, asked.value.text()
        return str(asked.value.json()["id"])

    def wait(self, run: str, *states: str) -> dict[str, Any]:
        """Return a flow run once it is in one of these states."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            found: dict[str, Any] = self.ask(
                "/flow_runs/filter", {"flow_runs": {"id": {"any_": [run]}}}
            )[0]
            if found["state_type"] in states:
                return found
            time.sleep(0.2)
        raise AssertionError(f"{run} is {found['state_type']}: {found['state']}")

    def open_run(self, run: str, picture: str = "") -> None:
        """Open a flow run's page."""
        self.page.goto(f"{self.url}/runs/flow-run/{run}")
        self.page.get_by_text("Artifacts", exact=True).first.wait_for()
        self.picture(picture)

    def artifact(self, run: str, picture: str = "") -> str:
        """Click on a run's first artifact; return what the page says."""
        self.open_run(run)
        self.page.get_by_text("Artifacts", exact=True).first.click()
        self.page.locator("a[href*='/artifacts/artifact/']").first.click()
        self.page.locator("h1").first.wait_for()
        self.picture(picture)
        return self.page.inner_text("body")

    def resume(self, run: str, answers: Mapping[str, str], picture: str = "") -> None:
        """Fill in the form of a paused run, and resume it."""
        self.open_run(run)
        self.page.get_by_role("button", name="Resume").first.click()
        dialog = self.page.get_by_role("dialog")
        for name, typed in answers.items():
            label = dialog.get_by_text(name, exact=False).first
            label.locator("xpath=following::textarea[1]").fill(typed)
        self.picture(picture)
        with self.page.expect_response(lambda told: told.url.endswith("/resume")) as answer:
            dialog.get_by_role("button", name="Submit").click()
        assert answer.value.ok, (answer.value.status, answer.value.text())
        assert answer.value.json()["status"] == "ACCEPT", answer.value.text()

    def picture(self, name: str) -> None:
        """Keep a picture of the page for the documentation, where that was asked for."""
        if name and self.pictures:
            self.page.wait_for_timeout(1000)
            self.page.screenshot(path=str(self.pictures / f"{name}.png"))


@contextmanager
def served(folder: Path, roots: Path) -> Iterator[str]:
    """Serve this checkout as `make serve` does, for workspaces below `roots`; give the UI's URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    wanted = len(yaml.safe_load((REPOSITORY / "prefect.yaml").read_text())["deployments"])
    env = {
        **clean_environment(PREFECT_API_URL=None), "PREFECT_HOME": str(furnish(folder / "prefect")),
        "PREFECT_SERVER_API_PORT": str(port), "PREFECT_UI_STATIC_DIRECTORY": str(folder / "ui"),
        "QDRANT_HOST": "embedded", "AUTOPACK_WORKSPACE_ROOTS": str(roots),
    }  # fmt: skip
    with (folder / "serve.log").open("w+") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "deployments.serve"], cwd=REPOSITORY, env=env,
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            until = time.monotonic() + PATIENCE_S
            while not _deployed(url, wanted):
                assert child.poll() is None, (folder / "serve.log").read_text()
                assert time.monotonic() < until, (folder / "serve.log").read_text()
                time.sleep(0.3)
            yield url
        finally:
            stop(child, signal.SIGINT)


def _deployed(url: str, wanted: int) -> bool:
    """Return whether so many deployments are there; one comes after the other."""
    try:
        answer = api.call(f"{url}/api", "/deployments/count", time.monotonic() + 5, {})
    except api.NoAnswer:
        return False
    return answer == (200, wanted)


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Give the UI of this checkout's deployments, for one file of tests: it costs half a core.

    `AUTOPACK_PICTURES` is a folder that keeps screenshots.
    """
    program = browser()
    if program is None:
        pytest.skip("no Chromium on this machine: install chromium to run the browser's tests")
    from playwright.sync_api import sync_playwright

    if pictures := os.environ.get("AUTOPACK_PICTURES"):
        guards.allow(pictures)
    folder, roots = tmp_path_factory.mktemp("console"), tmp_path_factory.getbasetemp()
    with served(folder, roots) as url, sync_playwright() as play:
        chromium = play.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE_S / 3 * 1000)
        yield Console(url, page, Path(pictures) if pictures else None)
        chromium.close()
