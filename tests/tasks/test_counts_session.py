"""The command that writes a new entry, as a shell takes it from the screen."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from autopack.render import cleaned
from autopack.report import NextStep, Report
from tasks.counts_session import Wish

TEXT = "two lines:\n\n```\n\tcode  with 'quotes' \\n and 100 %\n```\n"


@pytest.mark.skipif(not shutil.which("bash"), reason="the command is quoted for bash")
@pytest.mark.parametrize("text", [TEXT, "a  b", " x ", "é\u2028ü\U0001f680", "it's", "\udcff"])
def test_the_command_on_the_screen_says_the_same_text_again(text: str) -> None:
    wish = Wish.of("build", "One  title", ["Phase=P | 1"], text)
    assert wish
    report = cleaned(Report("sot-counts", next_steps=[NextStep("writes", wish.command())]))
    command = report.next_steps[0].command
    assert "\n" not in command
    words = command.removeprefix("python -m flows.sot_counts ")
    env = {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}
    said = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {words}"], capture_output=True, check=True, env=env
    ).stdout
    assert said.decode("utf-8", "surrogateescape").split("\0")[:-1] == [
        "--new", "build", "--title=One  title", "--cells", "Phase=P | 1", f"--text={text}",
    ]  # fmt: skip
