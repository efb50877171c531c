"""Pictures as text and tables: the whole text, names that a line holds, nothing cut silently."""

from __future__ import annotations

from autopack.storage import page
from autopack.storage.classify import Kind
from autopack.storage.names import shown, spell
from autopack.storage.page import day, tables
from autopack.storage.snapshot import NotSeen
from tests.support.pictures import DAY_NS, picture_of
from tests.support.trees import NOW_NS

MIB = 1 << 20
OLD = {"size": 3 * MIB, "mtime_ns": NOW_NS - 100 * DAY_NS}
TREE = {
    "a/.cache": {"kind": Kind.FOLDER, "size": 4096, "mtime_ns": NOW_NS - 100 * DAY_NS},
    "a/.cache/blob": OLD,
    "logs/run.log": 9 * MIB,
    "logs/shut": None,
    "src/main.c": 2 * MIB,
    "src/link": {"kind": Kind.LINK},
}
BEFORE = {"a/.cache/blob": OLD, "logs/run.log": MIB, "src/main.c": 2 * MIB, "tmp/x": MIB}


def text(pictures):
    return page.text(pictures, tables(pictures))


def told(pictures):
    return {table.key: table for table in tables(pictures)}


def test_the_whole_text_of_a_small_tree() -> None:
    made = picture_of(TREE, NotSeen("logs/shut", "denied"), before=BEFORE, mode="exact")
    assert text([made]) == GOLDEN.strip("\n")


GOLDEN = """
/tree: exact, not all of it was seen
  14.0 MiB allocated, 14.0 MiB apparent; 3 files, 6 folders, hard links counted once
  since 2023-11-13 22:13 UTC: +7.0 MiB allocated; 2 entries are new, 2 gone, 4 changed

Categories of the policy
  eligible  capped     kept  reported  protected  denied  category
       0 B     0 B  9.0 MiB       0 B        0 B     0 B  logs
   3.0 MiB     0 B      0 B       0 B        0 B     0 B  caches

Growth since the last scan
  what     change  apparent change      now  most of it  folder
  grown   8.0 MiB          8.0 MiB  9.0 MiB  run.log     logs
  gone   -1.0 MiB         -1.0 MiB      0 B  x           tmp
  new     4.0 KiB          4.0 KiB  4.0 KiB              logs/shut

Largest folders
  allocated  apparent  entries  folder
    9.0 MiB   9.0 MiB        3  logs
    3.0 MiB   3.0 MiB        2  a/.cache
    2.0 MiB   2.0 MiB        3  src
    4.0 KiB   4.0 KiB        1  logs/shut

Largest files
  allocated  apparent  names  modified    file
    9.0 MiB   9.0 MiB      1  2023-11-14  logs/run.log
    3.0 MiB   3.0 MiB      1  2023-08-06  a/.cache/blob
    2.0 MiB   2.0 MiB      1  2023-11-14  src/main.c

Age of the files, by their last modification
  allocated  apparent  files  modified
   11.0 MiB  11.0 MiB      2  under 1 day
    3.0 MiB   3.0 MiB      1  under 1 year

Not seen
  why                                                    path
  permission denied; only one of the two scans saw this  logs/shut
  1 link that is counted and never followed              src/link
"""


def test_what_is_left_out_is_said() -> None:
    made = picture_of({f"d{n:02}/f": MIB + n for n in range(40)})
    files = told([made])["largest-files"]
    assert (len(files.rows), files.among) == (20, 40)
    assert "showing 8 of 40" in text([made])


def test_thousands_of_denied_folders_are_cut_with_their_number() -> None:
    paths = [f"d{n:04}" for n in range(600)]
    made = picture_of(dict.fromkeys(paths), *(NotSeen(path, "denied") for path in paths))
    table = told([made])["not-seen"]
    assert (len(table.rows), table.among) == (500, 600)


def test_a_name_with_a_line_break_stays_on_one_line() -> None:
    made = picture_of({"a\nb  c\t": MIB, spell(b"caf\xe9"): MIB, " x ": MIB})
    names = [row[0] for row in told([made])["largest-files"].rows]
    assert names == [r"\x20x\x20", r"a\nb \x20c\t", r"caf\xe9"]
    assert all(len(line.splitlines()) <= 1 for line in text([made]).split("\n"))


def test_a_spelled_name_is_shown_as_it_is_spelled() -> None:
    assert shown(spell(rb"a\n")) == r"a\\n"  # a backslash and an n, not a line break
    assert shown("plain name") == "plain name"


def test_several_roots_have_one_table_with_whole_paths() -> None:
    made = [
        picture_of({"f": MIB}, root="/one"), picture_of({"g": 2 * MIB}, root="/two/"),
    ]  # fmt: skip
    by = told(made)
    assert [row[0] for row in by["largest-files"].rows] == ["/two/g", "/one/f"]
    assert by["ages"].rows[0][1] == 3 * MIB


def test_a_fast_scan_says_how_old_its_sizes_are() -> None:
    made = picture_of({"f": 1}, mode="fast", sizes_ns=NOW_NS - DAY_NS)
    assert text([made]).startswith("/tree: structural; sizes as of 2023-11-13T22:13:20Z\n")


def test_a_time_that_no_calendar_has_is_shown() -> None:
    assert day(2**62) == "2116-02-20"
    assert day(-(2**63)) == "1677-09-21"
