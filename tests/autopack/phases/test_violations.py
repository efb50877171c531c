"""What differs between two moments, held against a scope; where a sandbox lets a phase write."""

from __future__ import annotations

import random

import pytest

from autopack.phases.census import Census, Item, changes
from autopack.phases.confinement import grants
from autopack.phases.scope import Budget, Command, Scope
from autopack.phases.snapshot import Snapshot, Unreadable, packed, unpacked
from autopack.phases.spending import lines_between
from autopack.phases.violations import judge

SCOPE = Scope("p", ("src/app/", "notes.md"), ("docs/",), (".git/", ".env"))


def file(digest="a", **more):
    return Item("file", 0o644, 1, 1, 1, 1, 1, digest)._replace(**more)


FOLDER = Item("folder", 0o755, 0, 0, 0, 1, 0, "")


def census(**items):
    return Census(10**18, 1, {path.replace("__", "/"): item for path, item in items.items()})


def codes(before, after):
    return {v.path: v.code for v in judge(before, after, SCOPE, ("**/__pycache__/",)).violations}


def test_times_alone_are_no_change():
    touched = file(mtime_ns=9, ctime_ns=9, inode=2)
    assert list(changes(census(a=file()), census(a=touched))) == []


def test_a_folder_on_another_disk_has_another_inode_and_is_the_same():
    before, after = census(a=FOLDER), census(a=FOLDER._replace(inode=9))
    assert codes(before, after) == {"a": "PS708"}
    moved = Census(after.taken_ns, 2, after.items)
    assert codes(before, moved) == {}


def test_folders_for_what_a_phase_makes_are_its_own_and_others_are_not():
    after = census(src=FOLDER, src__app=FOLDER, src__app__a=file(), lib=FOLDER)
    assert codes(census(), after) == {"lib": "PS708"}
    assert codes(after, census(lib=FOLDER)) == {}


def test_a_set_id_bit_that_was_there_is_no_news():
    was = census(**{"notes.md": file(mode=0o4755)})
    assert codes(was, census(**{"notes.md": file("b", mode=0o4755)})) == {}
    assert codes(was, census(**{"notes.md": file("b", mode=0o6755)})) == {"notes.md": "PS704"}


def test_a_repository_that_came_is_one_violation():
    after = census(src__app__v=FOLDER, **{
        "src/app/v/.git": FOLDER, "src/app/v/.git/config": file(), "src/app/v/.git/hooks": FOLDER,
    })  # fmt: skip
    assert codes(census(), after) == {"src/app/v/.git": "PS714"}


def test_a_file_is_read_again_if_it_could_have_been_written_in_the_same_tick():
    seen = file(mtime_ns=100 * 10**9, ctime_ns=100 * 10**9)
    assert not seen.still(seen, 101 * 10**9)
    assert seen.still(seen, 103 * 10**9)
    assert not seen.still(seen._replace(ctime_ns=99 * 10**9), 103 * 10**9)


def snapshot():
    scope = Scope("p", ("src/",), ("docs/",), (".git/",), Budget(1, 2, 3, 4), Command(("x",), 5))
    name = "a\udcff\n\u202e"
    taken = Census(5, 6, {name: file()}, {"HEAD": "x"}, {name: "H 100644"})
    return Snapshot("r", "plan.json", "s", "p", scope, ("**/x/",), 1.5, "c", "k", taken)


def test_a_snapshot_comes_back_as_it_was():
    data, digest = packed(snapshot())
    assert unpacked(data) == (snapshot(), digest)


def test_no_byte_of_a_snapshot_can_be_changed_unseen():
    data, _ = packed(snapshot())
    rng = random.Random(7)
    for at in range(len(data)):
        bad = bytearray(data)
        bad[at] ^= 1 << rng.randrange(8)
        with pytest.raises(Unreadable):
            unpacked(bytes(bad))
    for cut in (b"", data[:-1], data + b" ", b"{}", data[:100]):
        with pytest.raises(Unreadable):
            unpacked(cut)


def tree(*paths):
    items = {}
    for path in paths:
        names = path.split("/")
        items |= {"/".join(names[:n]): FOLDER for n in range(1, len(names))}
        items[path] = file()
    return items


def test_a_folder_is_granted_whole_if_nothing_in_it_is_closed():
    granted = grants(SCOPE, tree("src/app/a.py", "src/b.py", "docs/x.md", ".git/config"))
    assert (granted.folders, granted.files) == (("src/app",), ())
    assert granted.missing_files == ("notes.md",)


def test_a_folder_with_something_closed_in_it_is_granted_in_parts():
    scope = Scope("p", ("src/*.py", "src/a/"), ("src/a/fixed/",), (".git/",))
    items = tree("src/x.py", "src/x.txt", "src/a/fixed/f", "src/a/b/c.py", "src/a/d.py")
    granted = grants(scope, items)
    assert granted.folders == ("src/a/b",)
    assert granted.files == ("src/a/d.py", "src/x.py")
    assert granted.closed == ("src", "src/a")
    assert granted.looser == ("src/*.py",)


def test_a_glob_from_the_root_opens_only_what_it_reaches():
    scope = Scope("p", ("s*/app/*.py",), ("docs/",), (".git/",))
    granted = grants(scope, tree("src/app/a.py", "lib/b.py", ".git/config", "docs/x"))
    assert granted.folders == ("src",)
    assert granted.closed == ("",)


def test_lines_between_two_texts_are_never_too_few():
    """As a diff of the whole has them; a text that is too long counts more."""
    assert lines_between(b"", b"a\nb\n") == 2
    assert lines_between(b"a\nb\nc\n", b"a\nX\nc\n") == 2
    assert lines_between(b"a\n", b"a") == 2, "a line without an end is another one, as in git"
    assert lines_between(b"a\rb\n", b"a\rc\n") == 2
    assert lines_between(b"x\n" * 5000, b"y\n" * 5000) == 10_000
    rng = random.Random(3)
    for _ in range(200):
        old, new = ([rng.choice("abc") for _ in range(rng.randrange(12))] for _ in range(2))
        best = len(old) + len(new) - 2 * common(old, new)
        found = lines_between("\n".join(old).encode(), "\n".join(new).encode())
        assert found >= best


def common(one, other):
    """The length of the longest common subsequence."""
    best = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            best[i + 1][j + 1] = best[i][j] + 1 if a == b else max(best[i][j + 1], best[i + 1][j])
    return best[-1][-1]
