"""The largest files and folders, whatever depth they lie at."""

from __future__ import annotations

from autopack.storage.largest import largest_files, largest_folders
from autopack.storage.snapshot import with_tree_sizes
from tests.support.trees import frame_of

BLOCK = 4096


def sized(entries):
    return with_tree_sizes(frame_of(entries))


def test_a_file_sixty_folders_deep_is_found() -> None:
    deep = "/".join("d" * 60) + "/big.bin"
    found = largest_files(sized({deep: 50 * BLOCK, "small": 1}), 20)
    assert [(one.path, one.allocated) for one in found.shown] == [
        (deep, 50 * BLOCK),
        ("small", BLOCK),
    ]


def test_what_is_left_out_is_counted() -> None:
    found = largest_files(sized({f"f{n}": BLOCK * n for n in range(1, 31)}), 20)
    assert (len(found.shown), found.among) == (20, 30)
    assert found.shown[0].path == "f30"


def test_a_file_with_several_names_is_one_file() -> None:
    twice = {"size": 9 * BLOCK, "nlink": 2, "ino": 77}
    found = largest_files(sized({"b/second": twice, "a/first": twice}), 20)
    assert [(one.path, one.names) for one in found.shown] == [("a/first", 2)]


def test_a_sparse_file_is_as_large_as_what_it_takes() -> None:
    hole = {"size": 10**12, "allocated": 0}
    found = largest_files(sized({"hole": hole, "real": BLOCK}), 20)
    assert [one.path for one in found.shown] == ["real", "hole"]
    assert found.shown[1].size == 10**12


def test_a_folder_is_as_large_as_everything_in_it_at_any_depth() -> None:
    tree = sized({"a/b/c/d/e/f": 100 * BLOCK, "a/b/c/d/g/h": 90 * BLOCK, "x/y": BLOCK})
    first = largest_folders(tree, 1).shown[0]
    assert (first.path, first.entries, first.allocated) == ("a/b/c/d", 5, 193 * BLOCK)


def test_a_parent_is_not_listed_beside_its_only_heavy_child() -> None:
    tree = sized({"cache/v1/blobs/x": 500 * BLOCK, "cache/readme": 1, "src/m.c": 1})
    assert [one.path for one in largest_folders(tree, 20).shown] == ["cache/v1/blobs", "src"]


def test_a_parent_of_two_heavy_children_is_listed_with_them() -> None:
    tree = sized({"all/one/x": 500 * BLOCK, "all/two/x": 400 * BLOCK})
    assert [one.path for one in largest_folders(tree, 20).shown] == ["all", "all/one", "all/two"]


def test_an_empty_root_has_neither() -> None:
    assert largest_files(sized({}), 20).shown == largest_folders(sized({}), 20).shown == ()
