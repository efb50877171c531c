"""The SOT index on a real SQLite file and a real PostgreSQL: lossless, idempotent, atomic."""

from __future__ import annotations

import random
from contextlib import nullcontext
from pathlib import Path

import pytest
import sqlalchemy as sa

from autopack.deadline import Deadline
from autopack.errors import Refused
from autopack.io import sql
from autopack.io.files import read_ledgers
from autopack.io.publish import Permit, publish
from autopack.io.sql import Index
from autopack.settings import database_target
from tests.autopack.io.index import ORIGIN, ledger, rebuilt, rows, sync, write


@pytest.mark.corpus
def test_every_real_ledger_is_rebuilt_byte_for_byte(open_index, corpus) -> None:
    index = open_index()
    published = sync(index, corpus)
    assert published
    assert published.generation == 1
    for file in read_ledgers(corpus):
        assert rebuilt(index, file.ledger.path) == file.data
    assert sync(index, corpus) is None


@pytest.mark.parametrize(
    "content",
    [
        ledger(5).replace("\n", "\r\n"),
        ledger(5).rstrip("\n"),
        "# T\n## BUILD-1: a\0b\n\f\n## BUILD-1: a\0b\n\f\n",
        "\ufeff# T\n## BUILD-1\n",
        "no heading at all",
    ],
)
def test_odd_bytes_come_back_as_they_were(open_index, tmp_path: Path, content: str) -> None:
    write(tmp_path, content)
    sync(open_index(), tmp_path)
    assert rebuilt(open_index()) == content.encode()


def test_a_second_run_has_nothing_to_write(open_index, tmp_path: Path) -> None:
    write(tmp_path, ledger(300))
    sync(open_index(), tmp_path)
    statements: list[str] = []
    index = open_index()

    def note(_c, _cursor, statement: str, *_rest: object) -> None:
        statements.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        assert sync(index, tmp_path) is None
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
    assert statements
    assert [s for s in statements if s.split()[0] in {"INSERT", "UPDATE", "DELETE", "CREATE"}] == []


def test_a_second_run_leaves_the_sqlite_file_byte_identical(tmp_path: Path) -> None:
    write(tmp_path, ledger(300))
    index = Index(database_target(None, tmp_path, {}), Deadline.after(60))
    sync(index, tmp_path)
    before = (tmp_path / "autopack.db").read_bytes()
    sync(index, tmp_path)
    assert (tmp_path / "autopack.db").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["autopack.db", "docs"]


def test_entries_named_by_what_stands_above_them_are_renamed_with_it(tmp_path: Path) -> None:
    def rules(key: str) -> str:
        return f'{{"{key}": [' + ",\n".join(f'{{"n": {n}}}' for n in range(300)) + "]}\n"

    index = Index(database_target(None, tmp_path, {}), Deadline.after(60))
    for key in ("rules", "facts"):
        write(tmp_path, rules(key), "LEARNED_RULES.json")
        sync(index, tmp_path)
    segments = read_ledgers(tmp_path)[0].segments
    wanted = list(zip(segments.kinds, segments.idents, strict=True))
    assert index.labels("docs/LEARNED_RULES.json") == wanted


def test_one_edit_is_one_row(open_index, tmp_path: Path) -> None:
    write(tmp_path, ledger(500))
    sync(open_index(), tmp_path)
    write(tmp_path, ledger(500, edited=250))
    published = sync(open_index(), tmp_path)
    assert published
    assert (published.inserted, published.updated, published.deleted) == (0, 1, 0)
    assert rebuilt(open_index()) == ledger(500, edited=250).encode()


def test_removed_entries_and_their_bytes_leave_the_index(open_index, tmp_path: Path) -> None:
    write(tmp_path, ledger(50))
    sync(open_index(), tmp_path)
    write(tmp_path, ledger(50, without=25))
    published = sync(open_index(), tmp_path)
    assert published
    assert (published.inserted, published.updated, published.deleted) == (0, 0, 1)
    index = open_index()
    assert rows(index, "SELECT count(*) FROM sot_segment WHERE ident = 'BUILD-25'") == [(0,)]
    orphans = """SELECT count(*) FROM sot_blob b WHERE NOT EXISTS
        (SELECT 1 FROM sot_segment s WHERE s.file = b.file AND s.digest = b.digest)"""
    assert rows(index, orphans) == [(0,)]


def test_bytes_that_two_entries_share_survive_the_loss_of_one(open_index, tmp_path: Path) -> None:
    twice = "# T\n" + "## BUILD-1: same\n" * 3
    write(tmp_path, twice)
    sync(open_index(), tmp_path)
    write(tmp_path, "# T\n" + "## BUILD-1: same\n" * 2)
    sync(open_index(), tmp_path)
    assert rebuilt(open_index()) == b"# T\n" + b"## BUILD-1: same\n" * 2


def test_a_ledger_that_is_gone_leaves_the_index(open_index, tmp_path: Path) -> None:
    write(tmp_path, ledger(5))
    write(tmp_path, "# C\n\n## A\n", "CHANGELOG.md")
    sync(open_index(), tmp_path)
    (tmp_path / "docs/CHANGELOG.md").unlink()
    sync(open_index(), tmp_path)
    index = open_index()
    assert [path for (path,) in rows(index, "SELECT path FROM sot_file")] == [
        "docs/BUILD_HISTORY.md"
    ]
    with pytest.raises(Refused, match=r"holds no ledger 'docs/CHANGELOG\.md'"):
        rebuilt(index, "docs/CHANGELOG.md")


def test_the_entry_view_numbers_equal_ids_in_file_order(open_index, tmp_path: Path) -> None:
    write(tmp_path, "# T\n## BUILD-1: a\n## BUILD-2: b\n## BUILD-1: c\n")
    sync(open_index(), tmp_path)
    query = "SELECT ident, ordinal, content FROM sot_entry WHERE kind = 5 ORDER BY pos"
    found = [(i, o, bytes(c)) for i, o, c in rows(open_index(), query)]  # type: ignore[call-overload]
    assert found == [
        ("BUILD-1", 1, b"## BUILD-1: a\n"),
        ("BUILD-2", 1, b"## BUILD-2: b\n"),
        ("BUILD-1", 2, b"## BUILD-1: c\n"),
    ]


def test_a_refusal_under_the_lock_writes_nothing(open_index, tmp_path: Path) -> None:
    write(tmp_path, ledger(5))
    sync(open_index(), tmp_path)
    write(tmp_path, ledger(6))

    def no(_planned: object) -> None:
        raise Refused("no")

    with pytest.raises(Refused, match="no"):
        sync(open_index(), tmp_path, no)
    assert open_index().state().head.number == 1
    assert rebuilt(open_index()) == ledger(5).encode()


def test_a_plan_made_before_another_run_published_is_made_anew(open_index, tmp_path: Path) -> None:
    write(tmp_path, ledger(5))
    late = open_index()
    ledgers = read_ledgers(tmp_path)
    planned = late.compare(ledgers)
    sync(open_index(), tmp_path)
    assert publish(late, ledgers, planned, ORIGIN, Permit(lambda _: None, nullcontext)) is None
    assert open_index().state().head.number == 1


def test_reading_a_missing_sqlite_file_creates_nothing(tmp_path: Path) -> None:
    write(tmp_path, ledger(5))
    index = Index(database_target(None, tmp_path, {}), Deadline.after(60))
    planned = index.compare(read_ledgers(tmp_path))
    assert planned.state.head is None
    assert planned.changes[0].plan.inserted == 6
    assert [p.name for p in tmp_path.iterdir()] == ["docs"]


def test_a_huge_window_is_loaded_anew_and_counted(open_index, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(sql, "RELOAD_FROM", 10)
    write(tmp_path, ledger(200))
    sync(open_index(), tmp_path)
    write(tmp_path, ledger(200).replace("body", "text"))
    published = sync(open_index(), tmp_path)
    assert published
    assert (published.inserted, published.deleted) == (201, 201)
    assert rebuilt(open_index()) == ledger(200).replace("body", "text").encode()


def test_a_reader_sees_the_old_generation_until_the_new_one_is_whole(
    open_index, tmp_path: Path
) -> None:
    write(tmp_path, ledger(400))
    sync(open_index(), tmp_path)
    write(tmp_path, ledger(400).replace("body", "text"))
    seen: list[bytes] = []

    def look(_planned: object) -> None:
        seen.append(rebuilt(open_index()))

    sync(open_index(), tmp_path, look)
    assert seen == [ledger(400).encode()]
    assert rebuilt(open_index()) == ledger(400).replace("body", "text").encode()


SHARED = (
    '{"a": [{"x": 1}, {"x": 2}], "b": [{"x": 1}, {"x": 3}]}',
    '{"a": [{"x": 1}, {"x": 2}], "b": [{"x": 3}]}',
)


def test_bytes_that_entries_with_other_ids_share_survive(open_index, tmp_path: Path) -> None:
    write(tmp_path, SHARED[0], "LEARNED_RULES.json")
    sync(open_index(), tmp_path)
    write(tmp_path, SHARED[1], "LEARNED_RULES.json")
    sync(open_index(), tmp_path)
    assert rebuilt(open_index(), "docs/LEARNED_RULES.json") == SHARED[1].encode()


def edited(rng: random.Random, lines: list[bytes]) -> list[bytes]:
    """Delete, double, move or invent a few lines."""
    at, to, count = rng.randrange(len(lines)), rng.randrange(len(lines)), rng.choice([1, 1, 2, 30])
    block = lines[at : at + count]
    kept = lines if rng.random() < 0.4 else lines[:at] + lines[at + count :]
    new = rng.choice([[], block, block, [b"", b"## Notes", b"text", b"---"]])
    return kept[:to] + new + kept[to:]


@pytest.mark.corpus
def test_any_edits_of_the_real_ledgers_can_be_rebuilt(
    open_index, corpus_copy: Path, soak_rounds
) -> None:
    """Lines are deleted, doubled, moved and invented at random; every state comes back exactly."""
    rng = random.Random(11)
    paths = [corpus_copy / file.ledger.path for file in read_ledgers(corpus_copy)]
    for _ in range(soak_rounds(30, 1000)):
        path = rng.choice(paths)
        path.write_bytes(b"\n".join(edited(rng, path.read_bytes().split(b"\n"))))
        sync(open_index(), corpus_copy)
        index = open_index()
        for file in read_ledgers(corpus_copy):
            assert rebuilt(index, file.ledger.path) == file.data
        assert sync(index, corpus_copy) is None
