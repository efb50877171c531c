"""The link check as its users run it: exit codes, the deep report."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.link_checks import GOOD, NAV, everything, said
from tests.support.session import REPOSITORY, clean_environment

SIX_FAULTS = """# R

[a](docs/api/missing.md) [b](src/autopack/nope.py) [c](scripts:gone.md)
[d](docs/INDEX.md#nope) <a href="docs/gone.md">e</a> [f][r]

[r]: docs/refgone.md
"""


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
    keys = {
        "path",
        "line",
        "target",
        "category",
        "kind",
        "message",
        "candidates",
        "fingerprint",
        "known",
    }
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
    root = make_workspace({**GOOD, "README.md": "[a](b.md) *b* `c`\n\n" * 200_000})
    done = check(root, "--max-seconds", "1")
    assert done.returncode == 3
    assert done.seconds < 6


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


def test_a_report_can_go_to_a_file_while_errors_go_to_a_pipe(make_workspace, tmp_path):
    root, out = make_workspace(GOOD), tmp_path / "report.json"
    command = [sys.executable, "-m", "flows.doc_links", "--json", "--workspace", str(root)]
    with out.open("wb") as file:
        done = subprocess.run(
            command, cwd=REPOSITORY, env=clean_environment(), stdout=file, stderr=subprocess.PIPE,
            check=False, timeout=120,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(out.read_bytes())["flow"] == "doc-links"
