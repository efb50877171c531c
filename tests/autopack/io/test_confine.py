"""What a sandbox needs is made, and gone afterwards; what cannot be made is said in one line."""

from __future__ import annotations

import pytest

from autopack.errors import Refused, Unreachable
from autopack.io.confine import confinement
from autopack.phases.confinement import Grants


@pytest.fixture
def root(make_workspace):
    return make_workspace({"docs/page.md": "old\n"})


def granting(folders=(), files=()):
    return Grants((), (), tuple(folders), tuple(files), (), ())


def under(root, granted):
    return confinement("landlock", root, granted, ())


def test_what_nobody_wrote_is_gone_afterwards(root):
    with under(root, granting(["new/deep"], ["other/NOTES.md", "docs/new.md"])):
        assert (root / "new/deep").is_dir()
        assert (root / "other/NOTES.md").read_bytes() == b""
        (root / "docs/new.md").write_text("mine")
    assert sorted(path.name for path in root.rglob("*")) == ["docs", "new.md", "page.md"]


@pytest.mark.parametrize(
    ("granted", "error", "words"),
    [
        (granting(files=["docs/page.md"]), Unreachable, "docs/page.md.*cannot be made"),
        (granting(files=[f"docs/{'n' * 300}"]), Unreachable, "cannot be made: File name too long"),
        (granting(folders=["docs/page.md/x"]), Refused, "stands where the scope has a folder"),
    ],
)
def test_what_cannot_be_made_is_said_and_the_rest_taken_away(root, granted, error, words):
    also = granting(["new", *granted.missing_folders], granted.missing_files)
    with pytest.raises(error, match=words), under(root, also):
        pass
    assert sorted(path.name for path in root.rglob("*")) == ["docs", "page.md"]


def test_an_error_of_the_block_is_its_own(root):
    def fails():
        with under(root, granting(["new"])):
            raise NotADirectoryError(20, "of the block", "elsewhere")

    with pytest.raises(NotADirectoryError, match="of the block"):
        fails()
    assert not (root / "new").exists()
