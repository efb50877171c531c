"""Mends as users ask for them: shown, written once, and only what was named."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.link_checks import GOOD, everything, said, written

WRONG = "[a](docs/INDEX.md) [b](../src/m.py:3) `docs/INDEX.md` [c](index.md) [d](gone.md)\r\n"
RIGHT = "[a](INDEX.md) [b](../src/m.py#L3) `docs/INDEX.md` [c](INDEX.md) [d](gone.md)\r\n"


@pytest.fixture
def wrong(make_workspace) -> Path:
    return make_workspace({**GOOD, "docs/a.md": WRONG, "src/m.py": ""})


def test_certain_mends_are_shown_then_written_once(check, wrong):
    before = everything(wrong)
    shown = check(wrong, "--deep", "--fix", "certain")
    assert shown.returncode == 0
    assert everything(wrong) == before
    assert not (wrong / ".autonomous_runs").exists()
    new = ["INDEX.md", "../src/m.py#L3", "INDEX.md"]
    assert [fix["new"] for fix in shown.report["fixes"]] == new

    done = check(wrong, "--deep", "--fix", "certain", "--execute")
    assert written(done) == ["docs/a.md"]
    assert everything(wrong) == {**before, "docs/a.md": RIGHT.encode()}
    assert said(done, "missing_file") == [("missing_file", "gone.md")]

    again = check(wrong, "--deep", "--fix", "certain", "--execute")
    assert (written(again), again.report["fixes"]) == ([], [])
    assert everything(wrong) == {**before, "docs/a.md": RIGHT.encode()}


def test_nav_mends_only_navigation_pages(check, wrong):
    (wrong / "docs/BUILD_HISTORY.md").write_text("[a](src/m.py) [b](docs/a.md)\n")
    done = check(wrong, "--fix", "certain", "--execute")
    assert done.returncode == 0
    assert done.report["writes"]["files"] == ["docs/BUILD_HISTORY.md"]
    assert (wrong / "docs/BUILD_HISTORY.md").read_text() == "[a](../src/m.py) [b](a.md)\n"


def test_a_page_that_changed_since_it_was_read_is_refused(wrong, monkeypatch):
    """Nothing is written, to no page: all are looked at before the first."""
    from autopack.deadline import Deadline
    from autopack.errors import Refused
    from tasks import links
    from tasks.links_session import Checking, Wish

    (wrong / "docs/z.md").write_text("[a](docs/INDEX.md)")
    checking = Checking(str(wrong), Wish("deep", (), False, "certain", False), Deadline.after(60))
    with checking.holding(True):
        for step in (links.walk, links.read, links.judge, links.plan):
            step(checking)
        (wrong / "docs/z.md").write_text("[a](docs/INDEX.md) and more")
        with pytest.raises(Refused, match="has changed since it was read"):
            links.write(checking, [])
    assert (wrong / "docs/a.md").read_bytes() == WRONG.encode()


def test_renames_are_mended_when_history_is_named_and_only_then(check, make_workspace):
    root = make_workspace({**GOOD, "docs/a.md": "[x](old.md)\n", "docs/old.md": "text\n" * 30})
    git = ["git", "-C", str(root)]
    subprocess.run([*git, "init", "-q"], check=True)
    for message in ("one", "two"):
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-qm", message], check=True)
        if message == "one":
            (root / "docs/old.md").rename(root / "docs/new.md")
    done = check(root, "--deep")
    (link,) = done.report["links"]
    assert [(c["path"], c["layer"]) for c in link["candidates"]] == [("docs/new.md", "history")]
    assert "--fix history" in done.report["next_steps"][0]["command"]
    assert check(root, "--deep", "--fix", "certain", "--execute").report["fixes"] == []
    assert len(check(root, "--deep", "--fix", "history", "--execute").report["fixes"]) == 1
    assert (root / "docs/a.md").read_text() == "[x](new.md)\n"
    assert check(root, "--deep", "--fix", "history", "--execute").report["fixes"] == []


def test_what_looks_alike_is_written_only_when_fuzzy_is_named(check, make_workspace):
    files = {**GOOD, "docs/a.md": "[x](only.md#p) [y](two.md)\n", "more/only.md": "# P\n"}
    root = make_workspace({**files, "more/two.md": "", "other/two.md": ""})
    for layer in ("certain", "history"):
        assert check(root, "--deep", "--fix", layer, "--execute").report["fixes"] == []
    check(root, "--deep", "--fix", "fuzzy", "--execute")
    assert (root / "docs/a.md").read_text() == "[x](../more/only.md#p) [y](two.md)\n"


@pytest.mark.parametrize("committed", [True, False])
def test_a_page_that_moved_is_not_taken_for_the_one_of_its_name_at_the_root(
    check, make_workspace, committed
):
    files = {"docs/sub/a.md": "[x](README.md)\n", "docs/sub/README.md": "text\n" * 30}
    root = make_workspace({**GOOD, **files})
    git = ["git", "-C", str(root)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "one"], check=True)
    subprocess.run([*git, "mv", "docs/sub/README.md", "docs/sub/NOW.md"], check=True)
    if committed:
        subprocess.run([*git, "commit", "-qm", "two"], check=True)
    for _ in range(2):
        assert check(root, "--deep", "--fix", "certain", "--execute").report["fixes"] == []
    subprocess.run([*git, "commit", "-qm", "two", "--allow-empty"], check=True)
    check(root, "--deep", "--fix", "history", "--execute")
    assert (root / "docs/sub/a.md").read_text() == "[x](NOW.md)\n"


def test_a_page_whose_name_has_a_line_break_stays_on_its_line(run_flow, make_workspace):
    root = make_workspace({**GOOD, "docs/a\nb.md": "[y](docs/INDEX.md) [z](gone.md)\n"})
    flags = ("--deep", "--fix", "certain", "--engine", "direct")
    screen = run_flow("doc_links", *flags, "--workspace", root).stdout
    assert "   1. docs/a b.md  2 broken links; 1 certain\n" in screen
    assert "  docs/a b.md:1  docs/INDEX.md -> INDEX.md\n" in screen


def test_pages_of_another_checkout_in_the_workspace_are_not_ours_to_read_or_mend(
    check, make_workspace
):
    inner = {"wt/.git": "gitdir: elsewhere\n", "wt/docs/a.md": "[x](docs/INDEX.md)\n"}
    root = make_workspace({**GOOD, **inner, "docs/a.md": "[x](../wt) [y](../wt/docs/a.md)\n"})
    done = check(root, "--deep", "--fix", "certain", "--execute")
    assert done.report["fixes"] == []
    assert [link["target"] for link in done.report["links"]] == ["../wt/docs/a.md"]
    assert (root / "wt/docs/a.md").read_text() == "[x](docs/INDEX.md)\n"
