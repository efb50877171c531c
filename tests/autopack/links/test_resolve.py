"""Resolution and categories: what targets mean, read from the root and from docs/."""

from __future__ import annotations

import pytest

from autopack.links.candidates import relative
from autopack.links.extract import read_page
from autopack.links.resolve import Judge, fragment_files
from autopack.links.target import join, without_secrets
from autopack.links.tree import tree_of

TREE = tree_of(
    [
        "README.md", "docs/INDEX.md", "docs/BUILD_HISTORY.md", "docs/guide/one.md",
        "docs/guide/README.MD", "docs/with space.md", "docs/x(1).md", "docs/ünï.md",
        "src/app/main.py", "src/app/other.py", "scripts/run.sh", "leads/README.md",
        "empty/file.txt", "docs/Mixed.md", "docs/a.txt", "docs/A.txt", "pics/logo.png",
        "docs/real.md", "docs/link.md",
    ],
    {"docs/link.md": "docs/real.md"},
)  # fmt: skip
TEXTS = {
    "README.md": "# Top\n",
    "docs/INDEX.md": "# Index\n\n## Part\n",
    "docs/guide/README.MD": "# Guide\n",
    "leads/README.md": "# Leads\n",
    "docs/real.md": "# Real\n",
}


def said(page: str, target: str) -> str:
    """Return category, sub-kind and the certain target of `[x](target)` in a page."""
    pages = {name: read_page(name, text.encode()) for name, text in TEXTS.items()}
    read = read_page(page, f"# Here\n\n[x]({target})\n".encode())
    verdicts = list(Judge(TREE, pages | {page: read}).verdicts(read))
    if not verdicts:
        return "fine"
    (verdict,) = verdicts
    assert (verdict.page, verdict.line) == (page, 3)
    certain = f" -> {verdict.certain.target}" if verdict.certain else ""
    return f"{verdict.category}{f' {verdict.sub}' if verdict.sub else ''}{certain}"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("chrome://tracing", "external_url"),
        ("git+https://example.org/x.git", "external_url"),
        ("guide/one.md", "fine"),
        ("./guide/../INDEX.md", "fine"),
        ("../src/app/main.py#L10-L20", "fine"),
        ("../src/app", "fine"),
        ("../src/app/", "fine"),
        ("..", "fine"),
        ("/docs/INDEX.md", "fine"),
        ("/", "fine"),
        ("with%20space.md", "fine"),
        ("<with space.md>", "fine"),
        ("x(1).md", "fine"),
        ("%C3%BCn%C3%AF.md", "fine"),
        ("ünï.md", "fine"),
        ("INDEX.md?plain=1#L3", "fine"),
        ("INDEX.md#L3", "missing_anchor"),
        ("?plain=1", "fine"),
        ("", "fine"),
        ("#here", "fine"),
        ("#", "fine"),
        ("#top", "fine"),
        ("INDEX.md#part", "fine"),
        ("INDEX.md#user-content-part", "fine"),
        ("../leads#leads", "fine"),
        ("guide/#guide", "fine"),
        ("link.md#real", "fine"),
        ("a.txt#anything", "fine"),
        ("#gone", "missing_anchor"),
        ("##here", "missing_anchor"),
        ("#Here", "missing_anchor"),
        ("INDEX.md#gone", "missing_anchor"),
        ("../leads#gone", "missing_anchor"),
        ("../empty#gone", "missing_anchor"),
        ("link.md#gone", "missing_anchor"),
        ("gone.md", "missing_file"),
        ("../../out.md", "missing_file"),
        ("scripts:gone.md", "missing_file"),
        ("conduct@kubernetes.io", "missing_file"),
        ("C:\\dev\\x.md", "missing_file"),
        ("api/gone.md", "missing_file"),
        ("gone/api/x", "missing_file"),
        ("autopack/nope.py", "missing_file"),
        ("/docs/gone.md", "missing_file"),
        ("/gone.md", "missing_file"),
        ("a.TXT", "missing_file"),
        ("docs/INDEX.md", "missing_file wrong_base -> INDEX.md"),
        ("docs/INDEX.md#part", "missing_file wrong_base -> INDEX.md#part"),
        ("src/app/main.py?x=1#L3", "missing_file wrong_base -> ../src/app/main.py?x=1#L3"),
        ("src/app/", "missing_file wrong_base -> ../src/app/"),
        ("docs/with%20space.md", "missing_file wrong_base -> with%20space.md"),
        ("docs/x(1).md", "missing_file wrong_base -> x%281%29.md"),
        ("src/app/main.py:12", "missing_file wrong_base -> ../src/app/main.py#L12"),
        ("../src/app/main.py:12", "missing_file line_suffix -> ../src/app/main.py#L12"),
        ("../src/app/main.py:12-34", "missing_file line_suffix -> ../src/app/main.py#L12-L34"),
        ("INDEX.md:3", "missing_file line_suffix -> INDEX.md?plain=1#L3"),
        ("index.md", "missing_file case_mismatch -> INDEX.md"),
        ("mixed.md", "missing_file case_mismatch -> Mixed.md"),
        ("/DOCS/index.md#part", "missing_file case_mismatch -> INDEX.md#part"),
        ("https://example.org/docs/gone.md", "external_url"),
        ("//example.org/x", "external_url"),
        ("mailto:a@b.c", "external_url"),
        ("https://github.com/o/r/api/x", "external_url"),
        ("http://localhost:8000/docs", "runtime_endpoint"),
        ("http://127.0.0.1/", "runtime_endpoint"),
        ("http://localhost.example.org/", "external_url"),
        ("/api/runs/1", "runtime_endpoint"),
        ("/apiary.md", "missing_file"),
        ("/dotnet/standard/x", "site_absolute"),
        ("../../../issues", "external_url"),
        ("../../../issues/12#issuecomment-1", "external_url"),
        ("../../../tree/main/docs", "external_url"),
        ("../../../../other/blob/main/README.md", "external_url"),
        ("../../../../../them/other/wiki", "external_url"),
        ("../../issues", "missing_file"),
        ("../../../../other/README.md", "missing_file"),
        ("../../../../elsewhere", "missing_file"),
    ],
)  # fmt: skip
def test_from_a_page_in_docs(target, expected):
    assert said("docs/page.md", target) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("src/app/main.py", "code_ref wrong_base -> ../src/app/main.py"),
        ("src/app/gone.py", "code_ref"),
        ("src/gone", "code_ref"),
        ("src/app/main.py:7", "code_ref wrong_base -> ../src/app/main.py#L7"),
        ("../src/app/main.py", "fine"),
        ("docs/INDEX.md", "missing_file wrong_base -> INDEX.md"),
        ("gone.md", "missing_file"),
    ],
)
def test_build_history_records_source_code(target, expected):
    assert said("docs/BUILD_HISTORY.md", target) == expected


def test_the_root_is_the_base_of_the_readme():
    assert said("README.md", "docs/INDEX.md#part") == "fine"
    assert said("README.md", "/docs/INDEX.md") == "fine"
    assert said("README.md", "../../issues") == "external_url"
    assert said("README.md", "/../../") == "external_url"
    assert said("README.md", "src/app/gone.py") == "missing_file"


def test_what_looks_alike_is_named_but_never_certain():
    page = read_page("docs/page.md", b"[x](../other/main.py) [y](INDEX.md#prt)\n")
    pages = {"docs/INDEX.md": read_page("docs/INDEX.md", TEXTS["docs/INDEX.md"].encode())}
    file, anchor = Judge(TREE, pages).verdicts(page)
    assert [(c.path, c.layer) for c in file.candidates] == [("src/app/main.py", "fuzzy")]
    assert [c.path for c in anchor.candidates] == ["docs/INDEX.md#part"]
    assert (file.certain, anchor.certain) == (None, None)


def test_only_pages_with_a_named_fragment_are_needed():
    page = read_page(
        "docs/page.md",
        b"[a](INDEX.md#x) [b](guide/one.md) [c](guide#x) [d](link.md#x)\n"
        b"[e](../src/app/main.py#L1) [f](INDEX.md#L3) [g](gone.md#x) [h](https://e.org/x.md#y)\n",
    )
    needed = {"docs/INDEX.md", "docs/guide/README.MD", "docs/real.md"}
    assert fragment_files(TREE, page) == needed


@pytest.mark.parametrize(
    ("page", "path", "joined"),
    [
        ("docs/a.md", "x/./y/../z", ("docs/x/z", 0)),
        ("docs/a.md", "../../x", ("x", 1)),
        ("a.md", "x/../../y", ("y", 1)),
        ("docs/a.md", "/x//y/", ("x/y", 0)),
    ],
)
def test_join(page, path, joined):
    assert join(page, path) == joined


@pytest.mark.parametrize(
    ("page", "path", "shown"),
    [
        ("docs/a.md", "docs/b.md", "b.md"),
        ("docs/a.md", "", ".."),
        ("a.md", "docs/b.md", "docs/b.md"),
        ("docs/x/a.md", "src/b.py", "../../src/b.py"),
        ("a.md", "a:b.md", "./a:b.md"),
    ],
)
def test_relative(page, path, shown):
    assert relative(page, path) == shown


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://user:pass@e.org/x?a=1&token=t#f", "https://user:***@e.org/x?a=1&token=***#f"),
        ("//user:p:w@e.org", "//user:***@e.org"),
        ("https://e.org:80/@name?x=1", "https://e.org:80/@name?x=1"),
        ("https://e.org/?a=1&amp;api_key=k", "https://e.org/?a=1&amp;api_key=***"),
        ("mailto:a@e.org", "mailto:a@e.org"),
    ],
)
def test_an_address_is_shown_without_its_secrets(address, shown):
    assert without_secrets(address) == shown
