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
from autopack.io.audit import (
    AUDIT_FILE,
    BadRecord,
    append,
    first_line,
    read,
    records,
    verify,
)

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
    said = [json.loads(line) for line in lines(chain)]
    assert [record["seq"] for record in said] == [1, 2, 3]
    assert said[0]["prev"] == "0" * 64
    assert said[0]["time"].endswith("+00:00")
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


def test_a_chain_that_is_a_link_is_not_read_either(chain: Path) -> None:
    chain.rename(chain.with_name("moved"))
    chain.symlink_to(chain.with_name("moved"))
    for use in (verify, read, lambda path: append(path.parents[1], {})):
        with pytest.raises(Unreachable, match="is a link") as caught:
            use(chain)
        assert "find out who made the link" in caught.value.next_step
    with pytest.raises(Unreachable, match="is a link"):
        list(records(chain.parents[1]))


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_what_is_no_file_is_neither_waited_for_nor_written(tmp_path: Path, make) -> None:
    (tmp_path / ".autonomous_runs").mkdir()
    make(tmp_path / AUDIT_FILE)
    for use in (verify, read, lambda path: append(path.parents[1], {})):
        with pytest.raises(Unreachable):
            use(tmp_path / AUDIT_FILE)


@pytest.mark.parametrize("member", ["seq", "time", "prev", "after_torn_tail"])
def test_a_record_cannot_say_what_the_chain_says(tmp_path: Path, member: str) -> None:
    with pytest.raises(ValueError, match=member):
        append(tmp_path, {member: "x"})
    assert not (tmp_path / AUDIT_FILE).exists()


def test_a_reader_sees_no_half_of_a_record(chain: Path) -> None:
    import fcntl

    with chain.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(Busy, match="locked by another process"):
            read(chain, max_wait_s=0.05)
        fcntl.flock(other, fcntl.LOCK_SH)
        assert read(chain, max_wait_s=0.05) == chain.read_bytes()


FULL = """
import resource, signal, sys
from pathlib import Path
from autopack.errors import Unreachable
from autopack.io.audit import append
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    append(Path(sys.argv[1]), {"pad": "x" * 5000})
except Unreachable as error:
    sys.exit(str(error))
"""


@pytest.mark.parametrize("room", [0, 1, 700, 5000])
def test_a_disk_that_fills_up_in_a_record_leaves_a_chain_that_goes_on(
    chain: Path, room: int
) -> None:
    before = chain.read_bytes()
    command = [sys.executable, "-c", FULL, str(chain.parents[1]), str(len(before) + room)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "free disk space" in done.stderr
    assert chain.read_bytes().startswith(before)
    assert len(chain.read_bytes()) == len(before) + room
    after = append(chain.parents[1], {"n": "after"})
    assert after.seq == 4
    bad = verify(chain)
    assert bad is None if room == 0 else bad and bad.kind == "torn"


def test_the_first_line_tells_one_chain_from_another(chain: Path, tmp_path: Path) -> None:
    assert first_line(tmp_path) == lines(chain)[0]
    with pytest.raises(Unreachable):
        first_line(tmp_path / "elsewhere")


WRITER = """
import sys
from pathlib import Path
from autopack.io.audit import append
for n in range(int(sys.argv[2])):
    append(Path(sys.argv[1]), {"n": n, "pad": "x" * 9000}, max_wait_s=60)
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
