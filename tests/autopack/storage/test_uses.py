"""What bytes are for: categories, and what of them may go."""

from __future__ import annotations

import polars as pl

from autopack.storage.snapshot import NotSeen, with_tree_sizes
from autopack.storage.uses import HEADS, Judged, Use, uses, words
from autopack.storage.verdicts import State
from tests.support.trees import frame_of

BLOCK = 4096
NAMES = ("caches", "logs")


def judged(entries):
    """Return the sized frame of `{path: (entry, category, state)}`, and what was judged of it."""
    sized = with_tree_sizes(frame_of({path: told[0] for path, told in entries.items()}))
    told = [entries.get(path, (None, "", State.NONE))[1:] for path in sized["path"]]
    numbers = [NAMES.index(category) + 1 if category else 0 for category, _ in told]
    states = [int(state) for _, state in told]
    dtypes = (pl.UInt16, pl.UInt8)
    series = (pl.Series(v, dtype=d) for v, d in zip((numbers, states), dtypes, strict=True))
    return sized, Judged(NAMES, *series)


def test_every_state_has_its_head() -> None:
    states = [state for state in State if state is not State.NONE]
    made = uses(*judged({f"f{n}": (BLOCK << n, "logs", state) for n, state in enumerate(states)}))
    assert len(made) == 1
    assert made[0].allocated == BLOCK * (2 ** len(states) - 1)
    assert all(getattr(made[0], head) for head in HEADS)


def test_a_folder_counts_with_its_own_blocks_alone() -> None:
    made = uses(*judged({"c": (None, "caches", State.ELIGIBLE),
                         "c/x": (3 * BLOCK, "caches", State.ELIGIBLE)}))  # fmt: skip
    assert made == (Use("caches", eligible=4 * BLOCK),)


def test_a_hard_link_counts_once() -> None:
    twice = {"size": 3 * BLOCK, "nlink": 2, "ino": 77}
    made = uses(*judged({"a": (twice, "logs", State.KEPT), "b": (twice, "logs", State.KEPT)}))
    assert made == (Use("logs", kept=3 * BLOCK),)


def test_the_heaviest_category_comes_first() -> None:
    made = uses(*judged({"a": (1, "logs", State.KEPT), "b": (9 * BLOCK, "caches", State.KEPT)}))
    assert [use.category for use in made] == ["caches", "logs"]


def test_colours_are_categories_unless_protected_or_not_seen() -> None:
    sized, told = judged(
        {
            "a": (1, "logs", State.YOUNG),
            "b": (1, "logs", State.PROTECTED),
            "c": (None, "caches", State.DENIED),
            "d": (1, "", State.NONE),
        }
    )
    made = words(sized, told, [NotSeen("c", "denied")])
    assert list(made) == ["", "logs", "protected", "not seen", ""]
