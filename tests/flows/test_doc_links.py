"""The link check as its users run it: exit codes, the deep report, certain mends."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.process import Finished

NAV = ("README.md", "docs/INDEX.md", "docs/BUILD_HISTORY.md")
GOOD = {name: f"# {name}\n\n[home](/README.md)\n" for name in NAV}
SIX_FAULTS = """# R

[a](docs/api/missing.md) [b](src/autopack/nope.py) [c](scripts:gone.md)
[d](docs/INDEX.md#nope) <a href="docs/gone.md">e</a> [f][r]

[r]: docs/refgone.md
"""


@pytest.fixture
def check(run_flow) -> Callable[..., Finished]:
    def run(root: Path, *args, **kwargs) -> Finished:
        return run_flow(
            "doc_links", "--engine", "direct", "--json", "--workspace", root, *args, **kwargs
        )

    return run


def everything(root: Path) -> dict[str, bytes]:
    """Return every file but the state of runs that write: audit chain and locks."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not {".locks", "audit.jsonl"} & set(path.parts)
    }


def said(done: Finished, *categories: str) -> list[tuple[str, str]]:
    return [
        (link["category"], link["target"])
        for link in done.report["links"]
        if not categories or link["category"] in categories
    ]


# --- navigation -------------------------------------------------------------------------------


def test_pages_whose_links_work_are_clean(check, make_workspace):
    done = check(make_workspace(GOOD))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.report["findings"] == []
    counts = done.report["counts"]
    assert (counts["files"], counts["links"], counts["anchors"]) == (3, 3, 0)


def test_all_six_faults_are_found(check, make_workspace):
    root = make_workspace({**GOOD, "README.md": SIX_FAULTS})
    done = check(root)
    assert done.returncode == 1
    assert said(done) == [
        ("missing_file", "docs/api/missing.md"),
        ("missing_file", "src/autopack/nope.py"),
        ("missing_file", "scripts:gone.md"),
        ("missing_anchor", "docs/INDEX.md#nope"),
        ("missing_file", "docs/gone.md"),
        ("missing_file", "docs/refgone.md"),
    ]
    lines = [(f["path"], f["line"]) for f in done.report["findings"]]
    assert lines == [("README.md", n) for n in (3, 3, 3, 4, 4, 4)]
    keys = {"path", "line", "target", "category", "kind", "message", "candidates"}
    assert set(done.report["links"][0]) == keys


FALSE_ALARMS = """`[a](no.md)`

~~~
[b](no.md)
~~~

    [c](no.md)

<!-- [d](no.md) -->

- x

  ```
  [e](no.md)
  ```

[f](docs/x.md "title") [g](<docs/with space.md>) [h](docs/x(1).md) [i](docs/x.md?plain=1)
"""


def test_what_others_call_broken_is_not(check, make_workspace):
    there = dict.fromkeys(["docs/x.md", "docs/with space.md", "docs/x(1).md"], "")
    done = check(make_workspace({**GOOD, "README.md": FALSE_ALARMS, **there}))
    assert (done.returncode, said(done)) == (0, [])


MISSED = """[two
lines](no1.md) [nested [x]](no2.md) [esc\\]aped](no3.md) <img src="no4.png"> [r]

[r]: no5.md
"""


def test_what_others_miss_is_found(check, make_workspace):
    done = check(make_workspace({**GOOD, "README.md": MISSED}))
    targets = [target for _, target in said(done, "missing_file")]
    assert targets == ["no1.md", "no2.md", "no3.md", "no4.png", "no5.md"]


@pytest.mark.parametrize("gone", NAV)
def test_a_navigation_page_that_is_not_there_is_an_error(check, make_workspace, gone):
    files = {name: "# x\n" for name in NAV if name != gone}
    done = check(make_workspace(files))
    assert done.returncode == 1
    (finding,) = done.report["findings"]
    assert (finding["code"], finding["severity"]) == ("missing_file", "error")
    assert (finding["path"], finding["line"]) == (gone, None)


def test_upper_and_lower_case_count_on_every_platform(check, make_workspace):
    done = check(make_workspace({**GOOD, "README.md": "[a](docs/index.md)"}))
    assert done.returncode == 1
    (link,) = done.report["links"]
    assert (link["category"], link["kind"]) == ("missing_file", "case_mismatch")
    (candidate,) = link["candidates"]
    assert (candidate["path"], candidate["layer"]) == ("docs/INDEX.md", "certain")
    assert candidate["why"] == "upper and lower case differ"


@pytest.mark.parametrize(
    ("page", "text", "codes"),
    [
        ("README.md", "[a](#gone)", (0, 1, 1)),
        ("docs/BUILD_HISTORY.md", "[a](src/gone.py)", (0, 0, 1)),
        ("docs/BUILD_HISTORY.md", "[a](gone.md)", (1, 1, 1)),
        ("README.md", "[a](https://example.org/gone)", (0, 0, 0)),
        ("README.md", "[a](http://localhost:8000/x) [b](/api/x)", (0, 0, 0)),
        ("README.md", "[a](/dotnet/x)", (0, 0, 0)),
    ],
)
def test_what_makes_the_exit_code(check, make_workspace, page, text, codes):
    """By default, with --check-anchors, with --strict."""
    root = make_workspace({**GOOD, page: text})
    found = tuple(
        check(root, *flags).returncode for flags in ([], ["--check-anchors"], ["--strict"])
    )
    assert found == codes


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--nav", "--deep"], "--deep contradicts --nav"),
        (["--execute"], "nothing to write without --fix"),
        (["--fix", "all"], "not one of certain"),
        (["--baselin"], "unknown flag"),
    ],
)
def test_contradictions_exit_2_in_one_line(check, make_workspace, flags, says):
    done = check(make_workspace(GOOD), *flags)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_deadline_is_kept(check, make_workspace):
    assert check(make_workspace(GOOD), "--max-seconds", "0.5").returncode == 2


# --- deep -------------------------------------------------------------------------------------


def deep_files() -> dict[str, str]:
    return {
        **GOOD,
        "docs/a.md": "[x](gone.md) [y](docs/b.md) `src/never/x.py` `old/b.md`\n",
        "docs/b.md": "[x](gone1.md) [y](gone2.md) [z](#gone)\n",
        "archive/old.md": "[x](gone.md)\n",
        "node_modules/m.md": "[x](gone.md)\n",
    }


def test_a_deep_scan_reports_and_ends_0_unless_strict(check, make_workspace):
    root = make_workspace(deep_files())
    before = everything(root)
    done = check(root, "--deep")
    assert done.returncode == 0
    assert done.report["counts"]["files"] == 5
    assert done.report["counts"]["categories"] == {
        "missing_file": 4, "unknown_ref": 1, "code_ref": 1, "missing_anchor": 1,
    }  # fmt: skip
    assert check(root, "--deep", "--check-anchors").returncode == 0
    assert check(root, "--deep", "--strict").returncode == 1
    assert everything(root) == before


def test_the_archive_is_read_by_explicit_include_only(check, make_workspace):
    root = make_workspace(deep_files())
    done = check(root, "--deep", "--include", "archive/**")
    assert {link["path"] for link in done.report["links"]} >= {"archive/old.md"}
    nav = check(root, "--include", "docs/b.md")
    assert nav.returncode == 1
    assert [link["path"] for link in nav.report["links"]] == ["docs/b.md"] * 3


def test_the_first_screen_names_the_pages_to_mend_first(run_flow, make_workspace):
    root = make_workspace(deep_files())
    done = run_flow("doc_links", "--deep", "--workspace", root, "--engine", "direct")
    assert done.stdout.splitlines()[:11] == [
        "Mend first (2 of 2 pages with broken links):",
        "   1. docs/b.md  2 broken links, 1 fragments",
        "   2. docs/a.md  2 broken links; 1 certain",
        "",
        "By category:",
        "  missing_file           4  (other 3, wrong_base 1)",
        "  unknown_ref            1",
        "  code_ref               1",
        "  missing_anchor         1",
        "",
        "Certain: 1 of 4 broken links can be mended without a guess.",
    ]


def test_ignore_rules_are_applied_and_those_without_effect_are_named(check, make_workspace):
    rules = (
        "ignore:\n"
        "- {kind: missing_file, glob: docs/gone.md, reason: moved, expires: 2099-01-31}\n"
        "- {kind: missing_file, glob: docs/never.md, reason: moved, expires: 2099-01-31}\n"
        "- {kind: missing_file, glob: docs/gone1.md, reason: moved, expires: 2020-01-31}\n"
    )
    root = make_workspace({**deep_files(), "config/doc_links_ignore.yaml": rules})
    done = check(root, "--deep")
    assert done.report["counts"]["ignored"] == 1
    codes = [f["code"] for f in done.report["findings"] if f["code"].startswith("ignore")]
    assert codes == ["ignore_unused", "ignore_expired"]
    (root / "config/doc_links_ignore.yaml").write_text("ignore: [{kind: missing_file}]")
    wrong = check(root, "--deep")
    assert wrong.returncode == 2
    assert "rule 1 has no glob" in wrong.stderr


def test_navigation_cannot_ignore_a_missing_file(check, make_workspace):
    rules = "ignore: [{kind: missing_file, glob: gone.md, reason: x, expires: 2099-01-31}]"
    files = {**GOOD, "README.md": "[a](gone.md)", "config/doc_links_ignore.yaml": rules}
    done = check(make_workspace(files))
    assert done.returncode == 1
    assert [f["code"] for f in done.report["findings"]] == ["missing_file", "ignore_refused"]


# --- certain mends ----------------------------------------------------------------------------

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
    assert done.report["writes"]["files"] == ["docs/a.md"]
    assert everything(wrong) == {**before, "docs/a.md": RIGHT.encode()}
    assert said(done, "missing_file") == [("missing_file", "gone.md")]

    again = check(wrong, "--deep", "--fix", "certain", "--execute")
    assert (again.report["writes"]["files"], again.report["fixes"]) == ([], [])
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
