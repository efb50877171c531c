"""What a move may name, what the system's errors mean, and which moves may be made together."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.tidy.moves import Identity, Move, batches, next_step, status_of, superseded

WHO = Identity(1, 2, 3, 4, "digest")


def move(source: str, destination: str) -> Move:
    return Move(source, destination, WHO, "rule", "reason", "phase")


@pytest.mark.parametrize(
    ("number", "winerror", "status"),
    [
        (errno.EACCES, None, "permission"), (errno.EROFS, None, "permission"),
        (errno.ENOSPC, None, "space"), (errno.EDQUOT, None, "space"),
        (errno.EBUSY, None, "locked"), (errno.ETXTBSY, None, "locked"),
        (errno.EACCES, 32, "locked"), (errno.EACCES, 5, "permission"),
        (errno.EEXIST, None, "dest_exists"), (errno.EEXIST, 183, "dest_exists"),
        (errno.ENOENT, None, "gone"), (errno.ENAMETOOLONG, None, "needs_manual"),
        (errno.EIO, None, "unknown"), (None, None, "unknown"), (errno.EACCES, 9999, "permission"),
    ],
)  # fmt: skip
def test_an_error_number_has_one_meaning(number, winerror, status) -> None:
    assert status_of(number, winerror) == status
    assert next_step(status)


def test_a_move_says_the_same_after_json() -> None:
    one = move("ünï\n\udcff", "archive/x")
    assert Move.of_json(one.as_json()) == one


def test_a_superseded_duplicate_keeps_its_path_below_the_folder() -> None:
    one = superseded(move("a/b.md", "docs/b.md"), "archive/superseded")
    assert (one.destination, one.rule) == ("archive/superseded/a/b.md", "superseded")
    assert "docs/b.md" in one.reason


names = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)


@given(st.lists(st.tuples(names, names), max_size=12), st.integers(1, 5))
def test_a_batch_holds_no_two_moves_of_one_path_and_the_order_stays(pairs, most) -> None:
    moves = []
    for source, destination in pairs:
        try:
            moves.append(move(source, destination))
        except ValueError:
            continue
    made = list(batches(moves, most))
    assert [one for batch in made for one in batch] == moves
    for batch in made:
        assert 1 <= len(batch) <= most
        paths = [path for one in batch for path in (one.source, one.destination)]
        for n, path in enumerate(paths):
            for other in paths[n + 1 :]:
                assert not f"{path}/".startswith(f"{other}/")
                assert not f"{other}/".startswith(f"{path}/")
