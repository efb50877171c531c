"""What bytes are for: categories, and what may not go."""

from __future__ import annotations

from autopack.storage.policy import Policy
from autopack.storage.protection import Protection
from autopack.storage.snapshot import NotSeen, with_tree_sizes
from autopack.storage.uses import Use, nothing, spread, uses, verdicts, words
from tests.support.trees import frame_of

BLOCK = 4096
POLICY = Policy.model_validate(
    {
        "protected": {"code": ["src/**"]},
        "categories": {
            "caches": {"match": ["**/.cache/**"]},
            "logs": {"match": ["**/*.log"]},
        },
    }
)


def judged(entries, going=(), denied=()):
    sized = with_tree_sizes(frame_of(entries))
    rows = sorted(sized["path"].to_list().index(path) for path in going)
    told = verdicts(sized, POLICY, Protection(POLICY), rows)
    not_seen = [NotSeen(path, "denied") for path in denied]
    return {use.category: use for use in uses(sized, told, not_seen)}, dict(
        zip(sized["path"], words(sized, told, not_seen), strict=True)
    )


def test_eligible_protected_and_kept_bytes_are_told_apart() -> None:
    tree = {"a/.cache/old/f": 3 * BLOCK, "a/.cache/young": BLOCK, "src/.cache/x": 5 * BLOCK}
    by, _ = judged(tree, going=["a/.cache/old"])
    folders = 2 * BLOCK  # a/.cache and src/.cache themselves, of which the second is protected
    assert by["caches"].eligible == 4 * BLOCK
    assert by["caches"].allocated == 10 * BLOCK + folders
    assert by["caches"].protected == 6 * BLOCK


def test_the_first_category_that_matches_counts() -> None:
    by, _ = judged({"a/.cache/f.log": BLOCK, "b/f.log": BLOCK})
    assert by["logs"] == Use("logs", 0, 0, BLOCK, 0)


def test_denied_folders_are_counted_for_their_category() -> None:
    by, colours = judged(
        {"a/.cache/shut": None, "b/shut": None}, denied=["a/.cache/shut", "b/shut"]
    )
    assert by["caches"].denied == 1
    assert colours["b/shut"] == "not seen"


def test_colours_are_categories_unless_protected() -> None:
    _, colours = judged({"src/x.log": 1, "y.log": 1, "z": 1})
    assert (colours["src/x.log"], colours["y.log"], colours["z"]) == ("protected", "logs", "")


def test_a_hard_link_counts_once_in_a_category() -> None:
    twice = {"size": 3 * BLOCK, "nlink": 2, "ino": 77}
    by, _ = judged({"a/x.log": twice, "b/y.log": twice})
    assert by["logs"].kept == 3 * BLOCK


def test_a_word_spreads_to_everything_below_and_no_further() -> None:
    frame = frame_of({"a/b/c": 1, "a.b": 1, "a0": 1, "b": 1})
    told = spread(frame, [frame["path"].to_list().index("a")], ["x"])
    assert dict(zip(frame["path"], told, strict=True)) == {
        "": None, "a": "x", "a/b": "x", "a/b/c": "x", "a.b": None, "a0": None, "b": None,
    }  # fmt: skip


def test_without_a_policy_nothing_has_a_use() -> None:
    sized = with_tree_sizes(frame_of({"a": 1}))
    assert uses(sized, nothing(sized), ()) == ()
