"""Whatever an artefact holds is an event or a finding with its place; never lost, never a crash."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.report import Finding
from autopack.rules.model import Event
from autopack.rules.reading import read_artefact

BOOM = """Traceback (most recent call last):
  File "/srv/app/a.py", line 3, in f
    g()
KeyError: 'a'
"""
REPORT = {
    "timestamp": "2031-01-02T03:04:05", "error_type": "KeyError", "error_message": "'a'",
    "run_id": "r", "phase_id": "p", "component": "api", "operation": "GET /x", "traceback": BOOM,
}  # fmt: skip
SUMMARY = f"""{"=" * 80}
ERROR REPORT - 2031-01-02T03:04:05
{"=" * 80}
Error Type: KeyError
Error Message: 'a'
Run ID: r
Phase ID: p
Component: api
Operation: GET /x

Stack Trace:
{"-" * 80}
{BOOM}

Context Data:
{"-" * 80}
headers: {{'x-api-key': 'planted-key-in-the-context'}}
{"=" * 80}"""


def read(data: bytes | str, name="run/errors/a.json", cut=False):
    raw = data.encode() if isinstance(data, str) else data
    return list(read_artefact(raw, name, "folder", cut))


def test_a_report_and_its_summary_in_words_are_the_same_event():
    (event,) = read(json.dumps(REPORT))
    (twin,) = read(SUMMARY, "run/errors/a.txt")
    assert isinstance(event, Event)
    assert isinstance(twin, Event)
    assert (event.event_id, event.signature) == (twin.event_id, twin.signature)
    assert (event.run, event.phase, event.component, event.operation) == ("r", "p", "api", "GET /x")
    assert event.origin == "app/a:f"
    assert "planted" not in repr(twin)


def test_a_time_without_a_zone_is_utc():
    (event,) = read(json.dumps(REPORT))
    assert isinstance(event, Event)
    assert event.at is not None
    assert event.at.isoformat() == "2031-01-02T03:04:05+00:00"


def test_a_list_of_reports_is_read_whole_and_its_oddities_are_findings():
    found = read(json.dumps([REPORT, {**REPORT, "run_id": "s"}, 7, {}]))
    assert [type(one) for one in found] == [Event, Event, Finding, Finding]


def test_a_report_that_names_no_run_gets_that_of_its_folder():
    (event,) = read(json.dumps({"error": "boom"}))
    assert isinstance(event, Event)
    assert event.run == "folder"


@pytest.mark.parametrize(
    ("data", "name", "code", "line"),
    [
        (json.dumps(REPORT, indent=1)[:80], "errors/a.json", "artefact_malformed", 4),
        ("[" * 100_000, "errors/a.json", "artefact_malformed", 1),
        ("\0\1\2" * 50, "errors/a.txt", "artefact_binary", 1),
        ("nothing of the kind", "errors/a.txt", "artefact_malformed", 1),
        (BOOM.rpartition("KeyError")[0], "a.log", "traceback_cut", 1),
    ],
)
def test_what_cannot_be_read_is_a_finding_with_its_place(data, name, code, line):
    (finding,) = read(data, name)
    assert isinstance(finding, Finding)
    assert (finding.code, finding.path, finding.line) == (code, name, line)


def test_half_a_surrogate_pair_is_kept_as_words():
    (event,) = read(r'{"error_type": "E\ud800", "error_message": "\udcff", "run_id": "\ud800"}')
    assert isinstance(event, Event)
    assert (event.type, event.message, event.run) == (r"E\ud800", r"\udcff", r"\ud800")


def test_a_report_that_is_too_large_is_a_finding():
    (finding,) = read("{}", cut=True)
    assert isinstance(finding, Finding)
    assert finding.code == "artefact_huge"


def test_a_log_tells_each_traceback_with_the_time_of_its_record():
    log = f"2031-01-02 03:04:05,6 ERROR: x\n{BOOM}\n[2031-01-02 04:00:00] ERROR: y\n{BOOM}"
    one, other = read(log, "r/a.log")
    assert isinstance(one, Event)
    assert isinstance(other, Event)
    assert (one.line, other.line) == (2, 8)
    assert one.at != other.at
    assert one.signature == other.signature


def test_the_same_traceback_twice_in_a_log_is_two_events_also_in_a_copy():
    found = {one.event_id for one in read(f"{BOOM}\n{BOOM}", "r/a.log") if isinstance(one, Event)}
    again = {one.event_id for one in read(f"{BOOM}\n{BOOM}", "s/b.log") if isinstance(one, Event)}
    assert len(found) == 2
    assert found == again


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-8"])
def test_logs_of_any_shell_are_read(encoding):
    (event,) = read(BOOM.replace("\n", "\r\n").encode(encoding), "r/a.log")
    assert isinstance(event, Event)
    assert (event.origin, event.message) == ("app/a:f", "'a'")


@given(st.binary(max_size=300), st.sampled_from(["errors/a.json", "errors/a.txt", "a.log"]))
def test_no_bytes_make_it_crash(data, name):
    assert all(isinstance(one, (Event, Finding)) for one in read(data, name))


LEAVES = st.none() | st.booleans() | st.floats() | st.text(max_size=9)
KEYS = st.sampled_from([*REPORT])


@given(st.recursive(LEAVES, lambda one: st.lists(one, max_size=3) | st.dictionaries(KEYS, one)))
def test_no_json_makes_it_crash_or_vanishes(value):
    found = read(json.dumps(value))
    assert len(found) == (len(value) if isinstance(value, list) else 1)
