"""`python -m flows.preflight backlog`: a page's items, or a new one to fill in."""

from __future__ import annotations

from tests.autopack.preflight.test_backlog import ITEM


def test_a_page_is_checked_and_the_template_is_printed(run_flow, make_workspace) -> None:
    root = make_workspace({"docs/BACKLOG.md": ITEM})
    done = run_flow("preflight", "backlog", "docs/BACKLOG.md", "--json", cwd=root)
    assert (done.returncode, done.report["counts"]) == (0, {"items": 1})
    template = run_flow("preflight", "backlog", "--template", cwd=root)
    assert template.stdout.startswith("### <number and title>\n\n- **Why**: <")
    (root / "docs/BACKLOG.md").write_text(ITEM + "\n" + template.stdout)
    done = run_flow("preflight", "backlog", "docs/BACKLOG.md", "--json", cwd=root)
    assert done.returncode == 1
    assert {found["code"] for found in done.report["findings"]} == {"placeholder"}
    assert done.report["findings"][0]["path"] == "docs/BACKLOG.md"


def test_a_wrong_command_line_is_one_line(run_flow, make_workspace) -> None:
    root = make_workspace()
    for words, said in (
        ((), "no file is named"),
        (("gone.md",), "gone.md does not exist"),
        (("a.md", "--template"), "--template reads no file"),
    ):
        done = run_flow("preflight", "backlog", *words, cwd=root)
        assert done.returncode == 2
        assert said in done.stderr


def test_the_check_is_the_command_where_none_is_named(run_flow, make_workspace) -> None:
    root = make_workspace()
    shown = run_flow("preflight", "--help", cwd=root).stdout
    assert shown.startswith(
        "usage: python -m flows.preflight [--workspace TEXT] [--tier {quick,full,ci}]"
    )
    assert "  backlog  " in shown
    done = run_flow("preflight", "backlgo", cwd=root)
    assert done.returncode == 2
    assert "unknown command 'backlgo'; did you mean backlog?" in done.stderr
