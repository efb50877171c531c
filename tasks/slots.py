"""Slots of Prefect's global concurrency limits: they queue and show runs, and are never the lock.

One request takes a slot of every limit of the set, or of none, under a lease. The lease is renewed
by a thread; when that fails, or somebody cancels the flow run, `lost` says so.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from autopack.errors import Busy, Refused, Unreachable
from autopack.io.again import again
from tasks import api

T = TypeVar("T")

LEASE_S = 60.0
"""How long Prefect keeps a slot for a dead holder; the shortest it accepts."""
RENEW_S = 15.0
ASK_S = 5.0
"""Longest wait for one answer."""
TAKE_S = 30.0
"""The same for a slot: a request that is given up may still take one, for `LEASE_S`."""
AWAY_S = 60.0
"""How long a server may be away while a slot is asked for: one that is started again is back."""
_POLL_S = 0.5
FAULT = 500
"""From here on Prefect says that its own database is locked or its Redis is away: ask again."""
_LIMITS = "/v2/concurrency_limits"
_LATE = f"its Prefect lease was not renewed for {LEASE_S:g} s"
_OVER = {"CANCELLING", "CANCELLED"}


def limit_of(url: str, name: str, until: float) -> dict[str, Any] | None:
    """Return a limit as the server holds it, None where there is none.

    Raises:
        Unreachable: The server does not answer, or does not say.
    """
    status, found = _patiently(lambda: ask(url, f"{_LIMITS}/{quote(name)}", until), until)
    if status not in {200, 404}:
        raise Unreachable(
            f"the Prefect server does not say what the limit {name!r} is: HTTP {status}",
            next_step="see the server's log",
        )
    return dict(found) if status == 200 else None


class Away(Unreachable):
    """Nobody listens at the server's address."""


class _Fault(Exception):
    def __init__(self, answer: tuple[int, Any]) -> None:
        self.answer = answer


def _patiently(asked: Callable[[], tuple[int, Any]], until: float) -> tuple[int, Any]:
    """Ask again while Prefect says that it cannot answer now; return the last answer."""

    def once() -> tuple[int, Any]:
        if (answer := asked())[0] >= FAULT:
            raise _Fault(answer)
        return answer

    try:
        return again(once, lambda error: isinstance(error, _Fault), until, _POLL_S)
    except _Fault as fault:
        return fault.answer


def ask(
    url: str,
    path: str,
    until: float,
    body: dict[str, Any] | None = None,
    patience_s: float = ASK_S,
) -> tuple[int, Any]:
    """Return the answer of one API call.

    Raises:
        Away: Nobody listens there.
        Unreachable: There is none by then, or after `patience_s`.
    """
    try:
        return api.call(url, path, min(until, time.monotonic() + patience_s), body)
    except api.NoAnswer as error:
        raise (Away if error.away else Unreachable)(
            f"the Prefect server at {url} does not answer: {error}",
            next_step="start it again, or use --engine direct on the machine of the workspace",
        ) from None


def _present(asked: Callable[[], T], until: float) -> T:
    """Ask again while nobody listens, for a server is started again now and then."""
    until = min(until, time.monotonic() + AWAY_S)
    return again(asked, lambda error: isinstance(error, Away), until, _POLL_S)


def preflight(url: str, names: Sequence[str], until: float) -> None:
    """Make sure that every limit is there, active and has one slot; Prefect itself does not.

    Raises:
        Refused: One is not, so a run would enter without a slot.
    """
    for name in names:
        if wrong := fault(limit_of(url, name, until)):
            raise Refused(
                f"the Prefect limit {name!r} {wrong}", next_step="python -m deployments.limits"
            )


def fault(found: Mapping[str, Any] | None) -> str:
    """Return why a limit does not let one run in at a time, nothing if it does."""
    if found is None:
        return "does not exist"
    if not found["active"]:
        return "is switched off"
    if found["slot_decay_per_second"] > 0:
        return "frees its slot while somebody holds it (slot_decay_per_second)"
    return f"has {found['limit']} slots, not 1" if found["limit"] != 1 else ""


class Slots:
    """A slot of each limit, once it is taken, and the lease that keeps them."""

    def __init__(self, url: str, names: Sequence[str], flow_run_id: str | None) -> None:
        self.url = url
        self.names = list(names)
        self.flow_run_id = flow_run_id
        self.lease: str | None = None
        self._lost = ""
        self._done = threading.Event()
        self._renewed = 0.0

    @property
    def lost(self) -> str:
        """Why the slots are lost; nothing while they are held. A paused process may be late."""
        late = self.lease is not None and time.monotonic() - self._renewed > LEASE_S
        return self._lost or (_LATE if late else "")

    def take(
        self, until: float, on_wait: Callable[[str], object], fenced: Callable[[], bool]
    ) -> str:
        """Wait for a slot of every limit, and return the lease's id.

        The lease is given back when `fenced()` says that the lock above it was broken.

        Raises:
            Busy: They were not free by then.
            Refused: A limit cannot be used.
            Unreachable: The server does not answer.
        """
        _present(lambda: preflight(self.url, self.names, until), until)
        told = 0.0
        while (lease := _present(lambda: self._try(until), until)) is None:
            now = time.monotonic()
            if now >= until:
                raise Busy(
                    f"no slot of the Prefect limits {', '.join(self.names)} was free",
                    next_step="python -m flows.locks status --all",
                )
            if now - told >= 10:
                on_wait(f"for a slot of the Prefect limits {', '.join(self.names)}")
                told = now
            time.sleep(min(_POLL_S, max(0.0, until - now)))
        self.lease, self._renewed = lease, time.monotonic()
        threading.Thread(
            target=self._keep, args=(fenced,), name="prefect-lease", daemon=True
        ).start()
        return lease

    def _try(self, until: float) -> str | None:
        body: dict[str, Any] = {
            "names": self.names, "slots": 1, "mode": "concurrency", "lease_duration": LEASE_S,
        }  # fmt: skip
        if self.flow_run_id:
            body["holder"] = {"type": "flow_run", "id": self.flow_run_id}
        until = max(until, time.monotonic() + 1)  # an answer that is on its way is waited for
        take = f"{_LIMITS}/increment-with-lease"
        status, found = ask(self.url, take, until, body, TAKE_S)
        if status == 423 or (status >= FAULT and time.monotonic() < until - 1):
            return None
        if status != 200:
            raise Unreachable(
                f"Prefect gave no slot of {', '.join(self.names)}: HTTP {status}",
                next_step="see the server's log",
            )
        return str(found["lease_id"])

    def _keep(self, fenced: Callable[[], bool]) -> None:
        while not self._done.wait(RENEW_S) and not self._lost:
            if fenced():
                self._lost = "its lock was broken"
                self.release()
                return
            with contextlib.suppress(Unreachable):
                self._renew(time.monotonic() + ASK_S)
            self._lost = self.lost

    def _renew(self, until: float) -> None:
        path = f"{_LIMITS}/leases/{self.lease}/renew"
        asked = time.monotonic()
        status, _ = ask(self.url, path, until, {"lease_duration": LEASE_S})
        if status == 410:
            self._lost = "its Prefect lease is gone: it expired, or somebody released it"
        elif status < 300:
            self._renewed = asked
        if self.flow_run_id:
            _, run = ask(self.url, f"/flow_runs/{self.flow_run_id}", until)
            if isinstance(run, dict) and run.get("state_type") in _OVER:
                self._lost = "its flow run was cancelled"

    def release(self) -> None:
        """Give the slots back; again, late, or without a server it does nothing."""
        self._done.set()
        lease, self.lease = self.lease, None
        if lease is not None:
            release(self.url, lease)


def release(url: str, lease: str) -> bool:
    """Give back the slots of a lease, of which a second release is a no-op; tell whether it went.

    Where the server does not answer, the lease ends on its own.
    """
    until = time.monotonic() + ASK_S
    path, body = f"{_LIMITS}/decrement-with-lease", {"lease_id": lease}
    try:
        return _patiently(lambda: ask(url, path, until, body), until)[0] < 300
    except Unreachable:
        return False
