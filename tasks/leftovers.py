"""Flow runs whose process died without closing them: found by their tag, ended.

A local run carries a tag that names its process: host, boot, PID namespace, PID and start time; the
run of a deployment, which others create, a label. The temporary server closes its own parent's run;
any later run on a server closes what is left of dead processes of the same host.
"""

from __future__ import annotations

import os
import re
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks import api, open_runs

LOCAL_TAG = "local-process"
LABEL = "autopack.process"
_TAG = re.compile(r"process:(?P<place>[^:]*:[^:]*:\d+):(?P<pid>\d+):(?P<start>\d+)")


@dataclass(frozen=True)
class Process:
    """One process of one boot of one host, so that a PID used again is another process."""

    place: str
    pid: int
    start: int

    @property
    def tag(self) -> str:
        """The tag that its flow runs carry."""
        return f"process:{self.place}:{self.pid}:{self.start}"


def this_process() -> Process:
    """Return the identity of this process."""
    return process(os.getpid())


def process(pid: int) -> Process:
    """Return the identity of a process of this host that is there now."""
    return Process(_host() + _boot(), pid, started(pid) or 0)


def pid_of(tag: str) -> int:
    """Return the PID that a tag names."""
    return int(tag.split(":")[-2])


def own_tags() -> tuple[str, ...]:
    """Return the tags of this process's flow runs."""
    return LOCAL_TAG, this_process().tag


def _host() -> str:
    return socket.gethostname().replace(":", "-") + ":"


def _boot() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii")[:8]
        return f"{boot}:{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return "unknown:0"


def started(pid: int) -> int | None:
    """Return a process's start time in clock ticks since boot, None when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def is_dead(tag: str) -> bool | None:
    """Return whether the process of a tag has ended; None when that can't be known from here."""
    match = _TAG.fullmatch(tag)
    if not match or not match["place"].startswith(_host()) or _boot() == "unknown:0":
        return None
    boot, _, namespace = match["place"].removeprefix(_host()).partition(":")
    here, _, my_namespace = _boot().partition(":")
    if boot != here:
        return True
    if namespace != my_namespace:
        return None
    return started(int(match["pid"])) != int(match["start"])


def close(url: str, tag: str, message: str, limit: float = 5.0) -> int:
    """End every open run with this tag; return how many there were."""
    until = time.monotonic() + limit
    return _end(url, open_runs.find(url, until, tag=tag), message, until)


def sign(url: str, run_id: str, limit: float = 1.0) -> None:
    """Put this process into the labels of a flow run that others have created."""
    until, labels = time.monotonic() + limit, {LABEL: this_process().tag}
    api.ask(url, f"/flow_runs/{run_id}/labels", until, labels, method="PATCH")


def sweep(url: str, limit: float = 2.0) -> int:
    """End the open runs of dead processes of this host; return how many there were."""
    until = time.monotonic() + limit
    runs = [run for run in open_runs.find(url, until) if any(map(is_dead, _processes(run)))]
    return _end(url, runs, "the process of this run ended without closing it", until)


def _processes(run: dict[str, Any]) -> list[str]:
    return [*run.get("tags", ()), str(run.get("labels", {}).get(LABEL, ""))]


def _end(url: str, runs: list[dict[str, Any]], message: str, until: float) -> int:
    return sum(open_runs.end(url, run, message, until) for run in runs)
