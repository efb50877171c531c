"""What can go wrong with a lock besides waiting for it."""

from __future__ import annotations

from autopack.errors import AutopackError, ExitCode, Refused


class LockOrderError(AutopackError):
    """The program takes locks against the canonical order: a bug in the caller, not bad luck."""

    code = ExitCode.BUG


class Fenced(Refused):
    """The lock was taken away, so the write is refused.

    Exit code 6, not 5: waiting does not help. Somebody broke the lock, and the safety gate in
    front of the write said no; nothing was changed.
    """
