"""The audit chain: links, torn tails, tampering, kill -9."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autopack.errors import Busy, Unreachable
from autopack.io.audit import AUDIT_FILE, BadRecord, append, verify

LINK = "broken link: prev is not the line before"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    for n in range(3):
        append(tmp_path, {"flow": "toy", "n": n})
    return tmp_path / AUDIT_FILE


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().split(b"\n")[:-1]


def test_records_are_numbered_and_linked(chain: Path) -> None:
    records = [json.loads(line) for line in lines(chain)]
    assert [record["seq"] for record in records] == [1, 2, 3]
    assert records[0]["prev"] == "0" * 64
    assert records[0]["time"].endswith("+00:00")
    assert verify(chain) is None


def test_append_names_the_digest_that_pins_the_chain(tmp_path: Path) -> None:
    first = append(tmp_path, {"n": 1})
    append(tmp_path, {"n": 2})
    assert json.loads(lines(tmp_path / AUDIT_FILE)[1])["prev"] == first.sha256


def test_no_file_is_a_good_chain(tmp_path: Path) -> None:
    assert verify(tmp_path / AUDIT_FILE) is None


def test_a_changed_record_breaks_the_next_link(chain: Path) -> None:
    chain.write_bytes(chain.read_bytes().replace(b'"n":1', b'"n":9'))
    assert verify(chain) == BadRecord(3, "tampered", LINK, seq=3)


def test_a_removed_record_is_a_broken_link(chain: Path) -> None:
    first, _, third = lines(chain)
    chain.write_bytes(first + b"\n" + third + b"\n")
    assert verify(chain) == BadRecord(2, "tampered", LINK, seq=2)


def test_bad_json_in_the_middle_is_tampering(chain: Path) -> None:
    first, _, third = lines(chain)
    chain.write_bytes(first + b"\nnonsense\n" + third + b"\n")
    assert verify(chain) == BadRecord(2, "tampered", "bad JSON", seq=2)


@pytest.mark.parametrize("cut", range(1, 40, 7))
def test_a_torn_tail_is_kept_named_and_chained_on(chain: Path, cut: int) -> None:
    data = chain.read_bytes()
    chain.write_bytes(data[:-cut])
    torn = verify(chain)
    assert torn is not None
    assert (torn.line, torn.kind) == (3, "torn")
    append(chain.parents[1], {"n": "after"})
    assert chain.read_bytes().startswith(data[:-cut])
    last = json.loads(lines(chain)[-1])
    assert last["after_torn_tail"] is True
    # Only the newline was lost: the record itself is whole, so the chain is whole again.
    whole = cut == 1
    assert last["seq"] == (4 if whole else 3)
    again = verify(chain)
    assert again is None if whole else again == BadRecord(3, "torn", torn.why, seq=3)
    append(chain.parents[1], {"n": "later"})
    assert "after_torn_tail" not in json.loads(lines(chain)[-1])


def test_tampering_is_told_even_behind_a_torn_line(chain: Path) -> None:
    chain.write_bytes(chain.read_bytes()[:-20])
    for n in range(2):
        append(chain.parents[1], {"later": n})
    chain.write_bytes(chain.read_bytes().replace(b'"later":0', b'"later":7'))
    bad = verify(chain)
    assert bad is not None
    assert (bad.line, bad.kind) == (5, "tampered")


def test_a_line_far_longer_than_a_block_is_found(tmp_path: Path) -> None:
    append(tmp_path, {"files": ["x" * 300_000]})
    append(tmp_path, {"files": []})
    assert verify(tmp_path / AUDIT_FILE) is None


def test_a_busy_chain_is_busy(chain: Path) -> None:
    import fcntl

    with chain.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(Busy, match="locked by another process"):
            append(chain.parents[1], {}, max_wait_s=0.05)


def test_a_symlink_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / ".autonomous_runs").mkdir()
    (tmp_path / AUDIT_FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unreachable):
        append(tmp_path, {})
    assert not (tmp_path / "elsewhere").exists()


WRITER = """
import sys
from pathlib import Path
from autopack.io.audit import append
for n in range(int(sys.argv[2])):
    append(Path(sys.argv[1]), {"n": n, "pad": "x" * 2000}, max_wait_s=60)
"""


def writer(root: Path, count: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(root), str(count)], cwd=ROOT)


def test_writers_at_once_make_one_chain(tmp_path: Path) -> None:
    writers = [writer(tmp_path, 20) for _ in range(3)]
    assert [child.wait(60) for child in writers] == [0, 0, 0]
    assert len(lines(tmp_path / AUDIT_FILE)) == 60
    assert verify(tmp_path / AUDIT_FILE) is None


def test_kill_9_leaves_a_chain_the_next_append_continues(tmp_path: Path) -> None:
    path = tmp_path / AUDIT_FILE
    child = writer(tmp_path, 100_000)
    until = time.monotonic() + 20
    while time.monotonic() < until and not (path.exists() and path.stat().st_size > 20_000):
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    append(tmp_path, {"n": "after"})
    bad = verify(path)
    assert bad is None or bad.kind == "torn"
