"""What stands in a workspace and is no page of it: pipes, and links that lead out or nowhere."""

from __future__ import annotations

import os

import pytest

from tests.support.link_checks import GOOD, said, written


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("mode", ["--nav", "--deep"])
def test_a_pipe_is_no_page_and_is_not_waited_for(check, make_workspace, mode):
    root = make_workspace({**GOOD, "README.md": "[x](docs/pipe.md#part) [y](docs/led.md#part)\n"})
    os.mkfifo(root / "docs/pipe.md")
    (root / "docs/led.md").symlink_to("pipe.md")
    done = check(root, mode, "--max-seconds", "30")
    assert said(done, "missing_file") == [("missing_file", "docs/pipe.md#part")]
    assert done.report["counts"]["files"] == 3


def test_a_link_out_of_the_workspace_is_no_page_of_it(check, make_workspace, tmp_path):
    outside = tmp_path / "outside.md"
    outside.write_text("[private](docs/a.md)\n")
    root = make_workspace({**GOOD, "docs/a.md": "# A\n", "docs/b.md": "[a](docs/a.md)\n"})
    (root / "docs/out.md").symlink_to(outside)
    done = check(root, "--deep", "--fix", "certain", "--execute")
    assert (done.returncode, written(done)) == (0, ["docs/b.md"])
    assert outside.read_text() == "[private](docs/a.md)\n"


@pytest.mark.parametrize("target", ["nothing.md", "../outside.md", "README.md"])
def test_a_navigation_page_that_is_a_link_to_nothing_here_is_missing(
    check, make_workspace, tmp_path, target
):
    (tmp_path / "outside.md").write_text("# Outside\n")
    root = make_workspace(GOOD)
    (root / "README.md").unlink()
    (root / "README.md").symlink_to(target)
    done = check(root)
    assert done.returncode == 1
    assert ("missing_file", "README.md") in said(done)


def test_a_fragment_of_a_folder_whose_readme_is_no_markdown_is_not_judged(check, make_workspace):
    root = make_workspace({**GOOD, "README.md": "[x](lib/#part)\n", "lib/README.rst": "Part\n"})
    assert said(check(root)) == []


@pytest.mark.parametrize(
    "format_", ["text", "json", "markdown", "sarif", "junit", "github", "html"]
)
@pytest.mark.parametrize("many", [1, 600])
def test_no_format_shows_a_secret_of_an_address(run_flow, make_workspace, format_, many):
    page = (
        "[a](https://user:hunter22@e.org/x?page=1&access_token=abcd1234#part)\n"
        '<img src="http://user:hunter22@localhost:80/x?a=1&amp;api_key=abcd1234">\n'
        "[b]: //user:hunter22@e.org?secret=abcd1234\n\n[b] <https://user:hunter22@e.org>\n"
    )
    root = make_workspace({**GOOD, "docs/a.md": page * many})
    done = run_flow("doc_links", "--workspace", root, "--deep", "--format", format_)
    assert done.returncode == 0
    for secret in (b"hunter22", b"abcd1234"):
        assert secret not in done.raw


def test_a_name_that_is_no_utf8_is_found_by_its_bytes(check, make_workspace):
    root = make_workspace({**GOOD, "README.md": "[x](docs/n%FF.md#part) [y](docs/no%FF.md)\n"})
    with open(os.fsencode(root) + b"/docs/n\xff.md", "w") as page:
        page.write("# Part\n")
    for mode in ("--nav", "--deep"):
        assert [target for _, target in said(check(root, mode))] == ["docs/no%FF.md"]
