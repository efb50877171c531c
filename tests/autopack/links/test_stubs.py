"""What a stub says, that it is known again, and that a changed one is known as changed."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from autopack.links.extract import read_page
from autopack.links.stubs import Stub, living, read_stub, render
from autopack.links.target import join, take_apart
from autopack.links.tree import tree_of

STUB = Stub(
    "docs/OLD.md", "docs/guides/NEW.md", frozenset({"set-up", "gone"}), frozenset({"set-up"}),
    "0123456789" * 4,
)  # fmt: skip
SHOWN = """---
redirect_to: "guides/NEW.md"
moved_in: "0123456789012345678901234567890123456789"
---
<!-- autopack-redirect sha256:{digest} -->

# This page has moved

It is now [docs/guides/NEW.md](guides/NEW.md).

- <a id="gone"></a>[gone](guides/NEW.md)
- <a id="set-up"></a>[set-up](guides/NEW.md#set-up)
"""


def test_a_stub_reads_as_people_expect():
    text = render(STUB).decode()
    digest = text.partition("sha256:")[2][:64]
    assert text == SHOWN.format(digest=digest)
    front = yaml.safe_load(text.split("---\n")[1])
    assert front == {"redirect_to": "guides/NEW.md", "moved_in": STUB.moved_in}


def test_what_is_not_known_is_not_written():
    text = render(Stub("OLD.md", "docs/NEW.md")).decode()
    assert "moved_in" not in text
    assert "<a id" not in text
    assert "promised" not in text


def test_a_stub_is_known_again_whatever_its_line_ends():
    for data in (render(STUB), render(STUB).replace(b"\n", b"\r\n")):
        assert read_stub("docs/OLD.md", data) == replace(STUB, there=frozenset())
        assert read_page("docs/OLD.md", data).redirect == "docs/guides/NEW.md"


@pytest.mark.parametrize(
    ("old", "new"),
    [("moved", "gone away"), ("NEW.md)", "OTHER.md)"), ('id="gone"', 'id="there"'), ("0123", "9")],
)
def test_a_changed_stub_is_still_a_stub_but_nobodys_to_write(old, new):
    stub = read_stub("docs/OLD.md", render(STUB).replace(old.encode(), new.encode(), 1))
    assert stub is not None
    assert not stub.own


@pytest.mark.parametrize(
    "data",
    [
        b"# A page\n",
        b"---\nredirect_to: x.md\n---\n# Another tool's\n",
        b"# About\n\n```\n<!-- autopack-redirect sha256:" + b"0" * 64 + b" -->\n```\n",
        render(STUB).replace(b"redirect_to", b"title"),
        render(STUB).replace(b"guides/NEW.md", b"../../NEW.md"),
        render(STUB) + b"\xff",
    ],
)
def test_other_pages_are_no_stubs(data):
    assert read_stub("docs/OLD.md", data) is None


names = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="/\\"),
    min_size=1, max_size=12,
).filter(lambda name: name.strip(". "))  # fmt: skip


@given(folder=names, old=names, new=names, fragment=names)
def test_every_name_is_reached_by_the_links_and_lands_by_the_fragments(folder, old, new, fragment):
    path, target = f"{folder}/{old}.md", f"{new} %.md"
    stub = Stub(path, target, frozenset({fragment}), frozenset({fragment}), promised=True)
    data = render(stub)
    page = read_page(path, data)
    assert [_leads(path, link.target) for link in page.links] == [
        (target, None), (target, fragment),
    ]  # fmt: skip
    assert fragment in page.anchors
    assert read_stub(path, data) == replace(stub, there=frozenset())
    assert yaml.safe_load(data.split(b"---\n")[1])["promised"] is True


def _leads(page: str, target: str) -> tuple[str, str | None]:
    parts = take_apart(target)
    return join(page, parts.path)[0], parts.fragment


def test_a_chain_ends_at_a_living_page_and_a_circle_nowhere():
    leads = {"a.md": "b.md", "b.md": "c.md", "x.md": "y.md", "y.md": "x.md", "z.md": "gone.md"}
    tree = tree_of([*leads, "c.md"])
    assert living(leads, tree) == {
        "a.md": "c.md", "b.md": "c.md", "x.md": "", "y.md": "", "z.md": "",
    }  # fmt: skip


def test_git_takes_no_stub_for_another_one_that_was_renamed(tmp_path):
    """Else a stub that is removed while another is made would count as that page's new place."""
    git = ["git", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    for gone, made in (("a", "b"), ("docs/old/first", "docs/old/second")):
        for name in (gone, made):
            stub = replace(STUB, path=f"{name}.md", target=f"{name}2.md", fragments=frozenset())
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / f"{name}.md").write_bytes(render(stub))
            if name == made:
                (tmp_path / f"{gone}.md").unlink()
            subprocess.run([*git, "add", "-A"], check=True)
            subprocess.run([*git, "commit", "-qm", name], check=True)
    told = subprocess.run(
        [*git, "log", "-M50%", "--diff-filter=R", "--format=", "--name-status"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert told.stdout == ""
