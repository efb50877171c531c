"""One spelling of a path is accepted, and what means another file somewhere is refused."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autopack.phases.codes import CODES
from autopack.phases.paths import fault, fold
from autopack.phases.scope import Scope
from tests.support.phase_paths import ATTACKS, GOOD, SCOPE

WITHIN = Scope("p", SCOPE, protected=(".git/", "config/phase_policy.yaml", ".github/workflows/"))
EVERY = [(kind, path) for kind, paths in ATTACKS.items() for path in paths]


@pytest.mark.parametrize(("kind", "path"), EVERY, ids=[f"{k} {p!a}"[:60] for k, p in EVERY])
def test_an_attack_is_refused(kind, path):
    code = WITHIN.judge(path)
    assert code in CODES
    if kind not in ("outside", "protected"):
        assert fault(path) == code, "its form alone refuses it, in every scope"


@pytest.mark.parametrize("path", GOOD)
def test_a_good_path_is_accepted(path):
    assert WITHIN.judge(path) is None


def test_there_are_enough_of_both():
    assert len({path for _, path in EVERY}) >= 200
    assert len(set(GOOD)) >= 60


CODE_OF = {
    "": "PS201", "a/../b": "PS201", "/etc/passwd": "PS202", "C:x": "PS202", "a\\b": "PS203",
    "a\0": "PS204", "a\udcff": "PS204", "\u202ea": "PS204", "e\u0301": "PS205", "а\u0061": "PS205",
    "~": "PS206", "a*": "PS206", "ab:c": "PS206", "a.": "PS207", "nul.txt": "PS208",
    "COM¹": "PS208", "a/.g\u200cit": "PS209", "GIT~1": "PS209", "a" * 256: "PS210",
}  # fmt: skip


@pytest.mark.parametrize("path", CODE_OF, ids=ascii)
def test_the_code_says_what_kind_it_is(path):
    assert fault(path) == CODE_OF[path]


PIECES = st.sampled_from([
    "docs", "README.md", "a", "..", ".", "/", "\\", ":", "~", "\0", "\u200c", "git", ".g", "it",
    "İ", "ı", "con", ".", " ", "é", "e\u0301", "ü", "$", "%2e", "*", "\udcff", "\uff0f", "а", "~1",
    "ﬁ", "ß",
])  # fmt: skip
PATHS = st.one_of(st.text(max_size=30), st.lists(PIECES, max_size=8).map("".join))


@given(PATHS)
@example("docs/ﬀ")
def test_what_is_accepted_means_one_file_everywhere(path):
    if fault(path) is not None:
        return
    names = path.split("/")
    assert list(PurePosixPath(path).parts) == names
    windows = PureWindowsPath(path)
    assert list(windows.parts) == names
    assert not windows.drive
    assert not windows.root
    assert not windows.is_reserved()
    for form in ("NFC", "NFKC"):
        assert unicodedata.normalize(form, path) == path
    assert path.encode("utf-8").decode() == path
    assert ".." not in names
    assert ".git" not in {name.casefold() for name in names}


@given(PATHS)
def test_no_text_is_too_strange_to_be_judged(path):
    assert WITHIN.judge(path) in {None, *CODES}


@given(st.text(max_size=20))
def test_folding_twice_is_folding_once(path):
    assert fold(fold(path)) == fold(path)
    assert len(fold(path)) == len(path), "letter by letter, so that `?` matches the same"
