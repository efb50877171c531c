"""A real process that takes locks when it is told to: `python -m tests.support.lock_worker ROOT`.

Each line of stdin is a JSON list, an order and its arguments; each line of stdout is the answer.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from autopack.deadline import Deadline
from autopack.errors import AutopackError
from autopack.io import lock_heartbeat
from autopack.io.locks import MultiLock, Owner
from tests.support import session


class Worker:
    """The test's end of such a process."""

    def __init__(self, root: Path) -> None:
        command = [sys.executable, "-m", "tests.support.lock_worker", str(root)]
        self.child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=session.clean_environment(), cwd=session.REPOSITORY,
        )  # fmt: skip
        self.pid = self.answer()

    def tell(self, *order: Any) -> None:
        """Give an order."""
        assert self.child.stdin
        self.child.stdin.write(json.dumps(order) + "\n")
        self.child.stdin.flush()

    def answer(self) -> Any:
        """Wait for the answer to the oldest order."""
        assert self.child.stdout
        line = self.child.stdout.readline()
        return json.loads(line) if line else None

    def ask(self, *order: Any) -> Any:
        """Give an order and wait for its answer."""
        self.tell(*order)
        return self.answer()

    def signal(self, number: int) -> None:
        """Send a signal; a stop is waited for."""
        os.kill(self.pid, number)
        while number == signal.SIGSTOP and self.state() != "T":
            time.sleep(0.001)

    def state(self) -> str:
        """Return the letter of the process's state."""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]

    def end(self) -> int:
        """Wait for its end, after closing its stdin, and return its exit code."""
        assert self.child.stdin
        assert self.child.stdout
        self.child.stdin.close()
        self.child.stdout.close()
        return self.child.wait(20)

    def kill(self) -> None:
        """End it with SIGKILL, whatever it does."""
        if self.child.poll() is None:
            self.child.kill()
        self.end()


class Doing:
    """The orders."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sets: list[MultiLock] = []

    def take(self, wants: dict[str, Any], wait_s: float = 20.0) -> Any:
        """Take a set; answer with the generations, or with the error."""
        owner = Owner("worker", "run-1", "a test")
        locks = MultiLock(self.root, wants, owner, Deadline.after(60), wait_seconds=wait_s)
        locks.acquire()
        self.sets.append(locks)
        return {grant.name: grant.generation for grant in locks}

    def add(self, name: str, path: str) -> Any:
        """Count the number in a file up, in a commit."""
        return self.sets[-1][name].commit(lambda: _add(Path(path)))

    def stick(self, name: str) -> Any:
        """Stop inside a commit until somebody sends SIGCONT."""
        return self.sets[-1][name].commit(lambda: os.kill(os.getpid(), signal.SIGSTOP))

    def progress(self, done: int, total: int, phase: str) -> None:
        """Show progress."""
        self.sets[-1].progress(done, total, phase)

    def work(self) -> None:
        """Make progress until the process is killed; there is no answer."""
        while True:
            self.sets[-1].progress(1, 0, "busy")
            time.sleep(0.001)

    def beat(self) -> None:
        """Send a heartbeat now."""
        lock_heartbeat.beat_all()

    def release(self) -> None:
        """Let the newest set go."""
        self.sets.pop().release()

    def fork(self) -> Any:
        """Fork a child that lives on and does nothing; answer with its pid, and what it may do."""
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            said = _run(lambda: self.add(next(iter(self.sets[-1])).name, "/nowhere"))
            self.sets[-1].release()
            os.write(write, json.dumps(said).encode())
            os.close(1)
            time.sleep(60)
            os._exit(0)
        return pid, json.loads(os.read(read, 4096))

    def spawn(self) -> int:
        """Start a program that lives on; answer with its pid."""
        return subprocess.Popen(["sleep", "60"], close_fds=False, stdout=subprocess.DEVNULL).pid

    def leave(self, how: str) -> None:
        """End the process inside the block, in one of several ways."""
        with MultiLock(self.root, {"docs": "exclusive"}, Owner("w"), Deadline.after(60)):
            _LEAVE[how]()


def _raise() -> None:
    raise RuntimeError("left with an exception")


_LEAVE = {
    "return": lambda: None,
    "exception": _raise,
    "exit": lambda: sys.exit(3),
    "_exit": lambda: os._exit(4),
    "sigint": lambda: os.kill(os.getpid(), signal.SIGINT),
    "sigterm": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "sigkill": lambda: os.kill(os.getpid(), signal.SIGKILL),
}


def _add(path: Path) -> int:
    value = int(path.read_text()) + 1 if path.exists() else 1
    path.write_text(str(value))
    return value


def _run(work: Any) -> Any:
    try:
        return {"ok": work()}
    except AutopackError as error:
        return {"error": type(error).__name__, "message": str(error)}


def main() -> None:
    """Follow orders until stdin ends."""
    doing = Doing(Path(sys.argv[1]))
    print(os.getpid(), flush=True)
    for line in sys.stdin:
        order, *arguments = json.loads(line)
        if order == "leave":
            doing.leave(*arguments)
        answer = _run(lambda o=order, a=arguments: getattr(doing, o)(*a))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
