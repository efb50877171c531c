"""What a look means, whatever the clocks say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autopack.locks.lines import ago, duration, holder_line
from autopack.locks.record import Moment, Process, Record
from autopack.locks.verdict import (
    Kind,
    Life,
    Observation,
    Verdict,
    alive,
    breakable,
    judge,
)

DAY = 86_400.0
ME = Process("vm", "boot-1", 1, 100, 5)
HOLDER = Process("vm", "boot-1", 1, 4711, 1186)
RUNS = Life(True, 1186, "S")
RECORD = Record(
    mode="exclusive", role="holder", generation=87, process=HOLDER,
    since=Moment(1_000_000.0, 1000.0), beat=Moment(1_000_721.0, 1721.0),
    moved=Moment(1_000_683.0, 1683.0), owner="tidy-full", flow_run_id="amber-fox",
    phase="consolidate", done=118, total=200, beats=144,
)  # fmt: skip
NOW = Moment(1_000_724.0, 1724.0)
HELD = Observation("exclusive", RECORD, ME, RUNS, NOW, epoch=87)
OTHER_BOOT = replace(RECORD, process=replace(HOLDER, boot_id="boot-0"))
OTHER_HOST = replace(RECORD, process=replace(HOLDER, host="db1", boot_id="boot-9"))
OTHER_CONTAINER = replace(RECORD, process=replace(HOLDER, namespace=2))


def later(seconds: float, wall: float = 0.0) -> Moment:
    return Moment(NOW.wall + seconds + wall, NOW.mono + seconds)


@pytest.mark.parametrize(
    ("seen", "kind", "lives"),
    [
        (replace(HELD, kernel="free", record=None), Kind.FREE, "unknown"),
        (replace(HELD, kernel="free", life=Life(False)), Kind.FREE, "no"),
        (replace(HELD, kernel="free", slot_taken=True), Kind.ORPHAN_SLOT, "no"),
        (replace(HELD, filesystem="nfs4"), Kind.UNSAFE_FS, "unknown"),
        (HELD, Kind.HELD, "yes"),
        (replace(HELD, slot_taken=True), Kind.HELD, "yes"),
        (replace(HELD, kernel="shared"), Kind.HELD, "yes"),
        (replace(HELD, record=None), Kind.HELD, "unknown"),
        (replace(HELD, epoch=88), Kind.HELD, "yes"),
        (replace(HELD, now=later(18), record=RECORD.beaten(later(16))), Kind.HELD, "yes"),
        (replace(HELD, now=later(30), record=RECORD.beaten(later(28))), Kind.STALLED, "yes"),
        (replace(HELD, now=later(20)), Kind.PAUSED, "yes"),
        (replace(HELD, life=Life(True, 1186, "T")), Kind.PAUSED, "yes"),
        (replace(HELD, life=Life(True, 1186, "t")), Kind.PAUSED, "yes"),
        (replace(HELD, record=OTHER_HOST), Kind.FOREIGN, "unknown"),
        (replace(HELD, record=OTHER_BOOT), Kind.FOREIGN, "unknown"),
        (replace(HELD, record=OTHER_CONTAINER), Kind.FOREIGN, "unknown"),
        (replace(HELD, record=OTHER_HOST, life=Life(False)), Kind.FOREIGN, "unknown"),
        (replace(HELD, life=Life(False)), Kind.HELD, "no"),
        (replace(HELD, life=Life(True, 999, "S")), Kind.HELD, "no"),
        (replace(HELD, life=Life(True, 1186, "Z")), Kind.HELD, "no"),
        (replace(HELD, life=Life(True)), Kind.HELD, "yes"),
        (replace(HELD, life=Life(None)), Kind.HELD, "unknown"),
    ],
)
def test_the_table_of_verdicts(seen: Observation, kind: Kind, lives: str) -> None:
    verdict = judge(seen)
    assert (verdict.kind, verdict.alive) == (kind, lives)


@pytest.mark.parametrize("jump", [-30 * DAY, -DAY, -1.0, 1.0, 3600.0, DAY, 30 * DAY])
@pytest.mark.parametrize("unchanged", [None, 0.0, 2.0])
def test_no_jump_of_the_wall_clock_changes_a_verdict_here(jump, unchanged) -> None:
    seen = replace(HELD, now=later(0, jump), beat_unchanged_s=unchanged, move_unchanged_s=unchanged)
    assert judge(seen) == judge(HELD)
    assert judge(seen).beat_age_s == 3.0


@pytest.mark.parametrize("jump", [-30 * DAY, -1000.0, 30 * DAY])
def test_a_jump_makes_a_foreign_age_unknown_never_old(jump: float) -> None:
    verdict = judge(replace(HELD, record=OTHER_HOST, now=later(0, jump)))
    assert (verdict.kind, verdict.beat_age_s) == (Kind.FOREIGN, None)
    assert not verdict.stopped


def test_what_the_observer_saw_itself_counts_for_a_foreign_holder() -> None:
    seen = replace(
        HELD, record=OTHER_HOST, now=later(0, 30 * DAY), beat_unchanged_s=40.0, move_unchanged_s=1.0
    )
    verdict = judge(seen)
    assert (verdict.kind, verdict.beat_age_s, verdict.move_age_s) == (Kind.FOREIGN, 40.0, 1.0)


def test_a_monotonic_clock_of_another_boot_is_not_read() -> None:
    odd = replace(OTHER_BOOT, beat=Moment(NOW.wall - 4.0, 1.0))
    assert judge(replace(HELD, record=odd)).beat_age_s == 4.0


def test_the_stall_threshold_is_the_callers() -> None:
    assert judge(HELD, stall_s=40.0).kind is Kind.STALLED
    assert judge(HELD, stall_s=41.0).kind is Kind.HELD


@pytest.mark.parametrize(
    ("process", "life", "answer"),
    [
        (HOLDER, RUNS, "yes"),
        (HOLDER, Life(True, 1187, "R"), "no"),
        (HOLDER, Life(False), "no"),
        (HOLDER, Life(True), "yes"),
        (replace(HOLDER, start=0), Life(True, 7, "R"), "yes"),
        (replace(HOLDER, boot_id="boot-0"), Life(False), "unknown"),
        (replace(HOLDER, host="db1"), Life(False), "unknown"),
    ],
)
def test_a_pid_alone_is_not_a_process(process: Process, life: Life, answer: str) -> None:
    assert alive(process, ME, life) == answer


# --- breaking ---------------------------------------------------------------------------------

WORKS = judge(HELD)
STOPPED = judge(replace(HELD, life=Life(True, 1186, "T")))
DEAD = judge(replace(HELD, life=Life(False)))
SILENT = judge(replace(HELD, now=later(20)))
FOREIGN = judge(replace(HELD, record=OTHER_HOST))
UNSAFE = judge(replace(HELD, filesystem="nfs"))
FREE = judge(replace(HELD, kernel="free", record=None))


@pytest.mark.parametrize(
    ("verdict", "generation", "changed", "allowed"),
    [
        (WORKS, 87, False, True),
        (WORKS, 87, True, False),
        (WORKS, 86, False, False),
        (WORKS, None, False, False),
        (STOPPED, 87, True, True),
        (STOPPED, None, False, False),
        (STOPPED, 88, False, False),
        (DEAD, None, False, False),
        (DEAD, 87, False, True),
        (SILENT, None, False, False),
        (SILENT, 87, False, True),
        (FOREIGN, None, False, False),
        (FOREIGN, 87, False, True),
        (FOREIGN, 87, True, False),
        (UNSAFE, 87, False, False),
        (UNSAFE, None, False, False),
        (FREE, 87, False, False),
    ],
)
def test_only_what_an_operator_saw_may_be_broken(
    verdict: Verdict, generation: int | None, changed: bool, allowed: bool
) -> None:
    decision = breakable(verdict, epoch=87, generation=generation, changed=changed)
    assert decision.allowed is allowed
    assert decision.why


# --- lines ------------------------------------------------------------------------------------


def test_the_line_names_everything_an_operator_asks() -> None:
    assert holder_line("docs", RECORD, WORKS) == (
        "docs  HELD  flow tidy-full/amber-fox  host vm  pid 4711 (alive)  since 12m04s  "
        "heartbeat 3s ago  progress 41s ago (phase consolidate 118/200)  gen 87"
    )
    assert holder_line("docs", replace(RECORD, note="weekly"), WORKS).endswith("note: weekly")


def test_a_line_without_a_record_gives_the_reason() -> None:
    assert holder_line("queue", None, FREE) == "queue  FREE  nobody holds it"


def test_an_age_that_nobody_can_tell_is_unknown() -> None:
    verdict = judge(replace(HELD, record=OTHER_HOST, now=later(0, -30 * DAY)))
    assert "heartbeat unknown  progress unknown" in holder_line("docs", OTHER_HOST, verdict)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0s"), (59.9, "59s"), (724, "12m04s"), (12_000, "3h20m"), (439_200, "5d02h")],
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text
    assert ago(seconds) == f"{text} ago"
