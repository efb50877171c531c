"""The rectangles of a tree."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autopack.storage.snapshot import with_tree_sizes
from autopack.storage.treemap import treemap
from tests.support.trees import NOW_NS, frame_of

BLOCK = 4096
NAMES = st.lists(st.sampled_from("abcd"), min_size=1, max_size=4).map("/".join)
TREES = st.dictionaries(NAMES.map(lambda path: f"{path}/f"), st.integers(0, 50), max_size=20)


def nodes_of(entries, limit=2000):
    import polars as pl

    sized = with_tree_sizes(frame_of(entries))
    use = sized.select(pl.when(pl.col("path").str.starts_with("c")).then(pl.lit("caches"))
                       .otherwise(pl.lit("")).alias("use"))["use"]  # fmt: skip
    return treemap(sized, use, limit)


@given(TREES, st.integers(2, 30))
def test_what_lies_in_a_node_is_never_more_than_the_node(tree, limit) -> None:
    nodes = nodes_of({path: n * BLOCK for path, n in tree.items()}, limit)
    assert len(nodes) <= limit
    assert nodes[0].parent is None
    for at, node in enumerate(nodes):
        inner = [other for other in nodes if other.parent == at]
        left = node.allocated - sum(other.allocated for other in inner)
        own = frame_of({"x": None})["allocated"][1]
        assert not inner or left in (0, own), "only a folder's own blocks have no rectangle"
        assert node.parent is None or node.parent < at


def test_a_large_tree_is_cut_and_the_rest_of_each_folder_is_one_node() -> None:
    nodes = nodes_of({f"d{n}/f{m}": BLOCK * (n + m) for n in range(40) for m in range(100)})
    assert 1000 < len(nodes) <= 2000
    assert sum(node.entries for node in nodes if node.parent == 0) == nodes[0].entries - 1
    assert sum(node.rest for node in nodes) > 10


def test_a_node_is_as_young_as_the_youngest_in_it() -> None:
    old = {"size": BLOCK, "mtime_ns": 5}
    young = {"size": BLOCK, "mtime_ns": NOW_NS + 7}
    folder = {"kind": 2, "mtime_ns": 5}
    by = {node.path: node for node in nodes_of({"a": folder, "a/x": old, "a/y": young})}
    assert (by["a"].newest_ns, by["a/x"].newest_ns) == (NOW_NS + 7, 5)


def test_the_colour_is_the_word_of_the_row() -> None:
    by = {node.path: node.use for node in nodes_of({"cache/x": BLOCK, "src/x": BLOCK})}
    assert (by["cache/x"], by["src/x"]) == ("caches", "")


def test_a_tree_without_bytes_has_no_rectangles() -> None:
    assert nodes_of({"": {"kind": 2, "size": 0, "allocated": 0}}) == ()
