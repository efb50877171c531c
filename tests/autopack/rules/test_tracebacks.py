"""Which exception is to blame, and where it came from."""

from __future__ import annotations

import pytest

from autopack.rules.tracebacks import CAUSE, CONTEXT, HEAD, place, read_traceback

DRIVER = f"""{HEAD}
  File "C:\\Python\\Lib\\site-packages\\driver\\base.py", line 9, in run
    execute()
sqlite3.OperationalError: no such table: parts
"""
LAYER = f"""{HEAD}
  File "{{file}}", line {{line}}, in save
    session.run()
    ^^^^^^^^^^^^^
  File "/usr/lib/python3.11/site-packages/layer/base.py", line 9, in run
    raise Wrapped from error
layer.OperationalError: (sqlite3.OperationalError) no such table: parts
[SQL: SELECT 1]
"""


def chained(link: str, file: str = "/srv/app/store.py", line: int = 3):
    text = f"{DRIVER}\n{link}\n\n{LAYER.format(file=file, line=line)}"
    return read_traceback(text.splitlines(), 0, alone=True)


def test_a_direct_cause_is_to_blame():
    found = chained(CAUSE)
    assert [one.type for one in found.chain] == [
        "sqlite3.OperationalError", "layer.OperationalError",
    ]  # fmt: skip
    assert found.root.message == "no such table: parts"


def test_a_failure_while_another_is_handled_is_one_of_its_own():
    assert chained(CONTEXT).root.type == "layer.OperationalError"


@pytest.mark.parametrize(
    "file", ["/srv/app/store.py", "C:\\dev\\App\\store.py", "c:\\x\\app\\STORE.py"]
)
def test_the_origin_is_the_projects_own_on_every_machine(file):
    assert place(chained(CAUSE, file, line=99).origin) == "app/store:save"


def test_a_traceback_of_libraries_alone_has_its_innermost_frame():
    found = read_traceback(DRIVER.splitlines(), 0, alone=True)
    assert place(found.origin) == "driver/base:run"


@pytest.mark.parametrize("lines", range(1, len(DRIVER.splitlines())))
def test_a_traceback_cut_anywhere_is_told_from_a_whole_one(lines):
    found = read_traceback(DRIVER.splitlines()[:lines], 0)
    assert (found.whole, found.chain) == (False, ())


def test_in_a_log_the_next_record_ends_a_message():
    text = f"{DRIVER}2031-01-02 03:04:05 INFO going on\n".splitlines()
    found = read_traceback(text, 0)
    assert found.root.message == "no such table: parts"
    assert text[found.end].endswith("going on")
