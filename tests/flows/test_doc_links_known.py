"""Only new breakage fails: beside an earlier report, or an earlier commit."""

from __future__ import annotations

import shlex
import subprocess

import pytest

from tests.support.link_checks import GOOD


def test_only_new_breakage_fails_beside_a_baseline(check, make_workspace, tmp_path):
    files = {**GOOD, "docs/a.md": "[x](gone.md) [y](#no)\n", "docs/b.md": "[z](a.md#no)\n"}
    root = make_workspace(files)
    first = check(root, "--deep", "--strict")
    assert first.returncode == 1
    baseline = tmp_path / "baseline.json"
    baseline.write_bytes(first.raw)
    flags = ("--deep", "--strict", "--baseline", baseline)
    known = check(root, *flags)
    assert (known.returncode, known.report["counts"]["known"]) == (0, 3)

    (root / "docs/a.md").write_text("moved\n\ndown [x](gone.md) [y](#no)\n")
    assert check(root, *flags).returncode == 0, "lines have no part in it"
    (root / "docs/a.md").write_text("[x](gone.md) [y](#no) [again](gone.md)\n")
    again = check(root, *flags)
    assert again.returncode == 1
    assert [x["line"] for x in again.report["links"] if not x["known"]] == [1]


def test_a_target_that_was_deleted_breaks_unchanged_pages_against_a_base(check, make_workspace):
    text = "[x](gone.md) [y](<b ü.md#part>)\n"
    root = make_workspace({**GOOD, "docs/a.md": text, "docs/b ü.md": "# Part\n"})
    git = ["git", "-C", str(root)]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "one"]):
        subprocess.run([*git, *words], check=True)
    flags = ("--deep", "--strict", "--base", "HEAD")
    assert check(root, *flags).returncode == 0
    (root / "docs/b ü.md").write_text("# Other\n")
    assert check(root, *flags).returncode == 1
    (root / "docs/b ü.md").unlink()
    done = check(root, *flags)
    assert done.returncode == 1
    assert [(x["target"], x["known"]) for x in done.report["links"]] == [
        ("gone.md", True), ("b ü.md#part", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--base", "nowhere"], "no commit 'nowhere'"),
        (["--baseline", "gone.json"], "gone.json does not exist"),
        (["--baseline", "x", "--base", "y"], "both say what is known"),
    ],
)
def test_what_is_known_must_be_there(check, make_workspace, flags, says):
    root = make_workspace(GOOD)
    subprocess.run(["git", "-C", str(root), "init", "-q"], check=True)
    done = check(root, *flags)
    assert done.returncode == 2
    assert says in done.stderr


def test_what_is_broken_behind_a_symbolic_link_is_known_to_a_base(check, make_workspace):
    text = "[x](link.md#gone) [y](out.md#gone) [z](chain.md#gone)\n"
    root = make_workspace({**GOOD, "docs/a.md": text, "docs/real.md": "# Part\n"})
    for name, target in (
        ("link", "real.md"),
        ("out", "/etc/hostname"),
        ("chain", "link.md"),
        ("ring", "ring.md"),
    ):
        (root / f"docs/{name}.md").symlink_to(target)
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "one")
    done = check(root, "--deep", "--strict", "--base", "HEAD")
    assert [x["target"] for x in done.report["links"] if x["known"]] == [
        "link.md#gone", "chain.md#gone"
    ]  # fmt: skip


def test_a_base_outside_a_repository_says_so(check, make_workspace):
    done = check(make_workspace(GOOD), "--deep", "--base", "HEAD")
    assert done.returncode == 4
    assert "not a git repository" in done.report["message"]


def test_a_renamed_page_keeps_what_was_known_of_it_and_nothing_more(check, make_workspace):
    links = "[x](gone.md) [y](b.md#no) [z](../README.md) [w](../../out.md) [v](docs/b.md)\n"
    text = "".join(f"word {n} of a page that git knows again\n" for n in range(20)) + links
    root = make_workspace({**GOOD, "docs/a.md": text, "docs/b.md": "# B\n"})
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "one")
    flags = ("--deep", "--strict", "--base", "HEAD")
    (root / "docs/deep").mkdir()
    git(root, "mv", "docs/a.md", "docs/deep/new.md")
    new = text.replace("gone.md", "../gone.md").replace("b.md#no", "../b.md#no")
    (root / "docs/deep/new.md").write_text(new.replace("(../R", "(../../R"))
    done = check(root, *flags)
    assert (done.returncode, done.report["counts"]["known"]) == (0, 4), "links were rewritten"
    (root / "docs/deep/new.md").write_text(text)
    done = check(root, *flags)
    unknown = [x["target"] for x in done.report["links"] if not x["known"]]
    assert unknown == ["b.md#no", "../README.md"], "the move broke these"
    (root / "docs/deep/new.md").write_text(
        f"{new} [again](../gone.md)\n".replace("(../R", "(../../R")
    )
    assert check(root, *flags).returncode == 1


def git(root, *words: str) -> None:
    subprocess.run(["git", "-C", str(root), *words], check=True, capture_output=True)


@pytest.mark.parametrize("data", [None, "{}"])
def test_the_command_that_makes_a_baseline_can_be_pasted(check, make_workspace, tmp_path, data):
    root, known = make_workspace(GOOD), tmp_path / "what is known.json"
    if data is not None:
        known.write_text(data)
    done = check(root, "--baseline", str(known))
    assert done.returncode == 2
    assert shlex.split(done.stderr)[-1] == str(known)
