"""Read Python tracebacks, chained ones too, and find the exception that the others come from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from autopack.rules.model import Frame

HEAD = "Traceback (most recent call last):"
CAUSE = "The above exception was the direct cause of the following exception:"
CONTEXT = "During handling of the above exception, another exception occurred:"
MESSAGE_LINES = 40
"""Lines of one exception's message that are read."""

_FRAME = re.compile(r'\s*File "(?P<file>.+?)", line \d+(?:, in (?P<function>.+))?$')
_RAISED = re.compile(r"(?P<type>[A-Za-z_][\w.]*)(?:: ?(?P<message>.*))?$")
_FOREIGN = re.compile(
    r"[\\/](?:site|dist)-packages[\\/]|[\\/]lib(?:64)?[\\/]python\d|python[\d.]*[\\/]lib[\\/]|^<",
    re.I,
)


@dataclass(frozen=True)
class Raised:
    """One exception of a chain. `caused` says that it was raised `from` the one before it."""

    type: str
    message: str
    frames: tuple[Frame, ...]
    caused: bool = False


@dataclass(frozen=True)
class Traceback:
    """The exceptions of one traceback in the order of its text, and where it ends."""

    chain: tuple[Raised, ...]
    end: int
    whole: bool

    @property
    def root(self) -> Raised:
        """The exception to blame: back from the reported one along `raise … from`.

        An exception that was raised while another was handled is a failure of its own: the chain
        ends there.
        """
        at = len(self.chain) - 1
        while at > 0 and self.chain[at].caused:
            at -= 1
        return self.chain[at]

    @property
    def origin(self) -> Frame | None:
        """Where it came from: the innermost frame of the project, first of all in the root."""
        start = self.chain.index(self.root)
        ordered = [frame for one in self.chain[start:] for frame in reversed(one.frames)]
        own = (frame for frame in ordered if not _FOREIGN.search(frame.file))
        return next(own, ordered[0] if ordered else None)


def place(frame: Frame) -> str:
    """Return `folder/file:function`, the same on every machine and after every edit."""
    path = frame.file.replace("\\", "/").casefold().removesuffix(".py")
    return f"{'/'.join(path.split('/')[-2:])}:{frame.function}"


def leaf(name: str) -> str:
    """Return a type's name without its module."""
    return name.rpartition(".")[2]


def read_traceback(lines: Sequence[str], at: int, *, alone: bool = False) -> Traceback:
    """Read the traceback whose first line is `lines[at]`.

    `alone` says that nothing else is in the text, so a message may hold blank lines. What was cut
    off is told by `whole`.
    """
    chain: list[Raised] = []
    caused = False
    while True:
        raised, at = _one(lines, at, alone)
        if raised is None:
            return Traceback(tuple(chain), at, False)
        chain.append(Raised(raised.type, raised.message, raised.frames, caused))
        link = _link(lines, at)
        if link is None:
            return Traceback(tuple(chain), at, True)
        caused, at = link


def _one(lines: Sequence[str], at: int, alone: bool) -> tuple[Raised | None, int]:
    indent = len(lines[at]) - len(lines[at].lstrip()) if lines[at].lstrip().startswith(HEAD) else 0
    frames: list[Frame] = []
    at += 1
    while at < len(lines):
        line = lines[at][indent:] if not lines[at][:indent].strip() else lines[at]
        if frame := _FRAME.match(line):
            frames.append(Frame(frame["file"], frame["function"] or "<module>"))
        elif line.strip() and not line[0].isspace():
            raised = _RAISED.match(line)
            if raised is None:
                return None, at
            message, at = _message(lines, at + 1, alone)
            text = "\n".join([raised["message"] or "", *message]).strip()
            return Raised(raised["type"], text, tuple(frames)), at
        at += 1
    return None, at


def _message(lines: Sequence[str], at: int, alone: bool) -> tuple[list[str], int]:
    """Return the further lines of a message, and where they end."""
    taken: list[str] = []
    first = at
    while at < len(lines) and at - first < (len(lines) if alone else MESSAGE_LINES):
        line = lines[at]
        if line.strip() in {CAUSE, CONTEXT} or HEAD in line:
            break
        if not alone and (not line.strip() or _is_record(line)):
            break
        taken.append(line)
        at += 1
    return taken[:MESSAGE_LINES], at


def _is_record(line: str) -> bool:
    """Return whether a line of a log begins a new record rather than going on with the last."""
    from autopack.rules.records import header

    return header(line) is not None or bool(re.match(r"[\[(]?[A-Z]{4,8}\b[\])]?[ :]", line))


def _link(lines: Sequence[str], at: int) -> tuple[bool, int] | None:
    """Return how the next exception of the chain is bound, and where its traceback begins."""
    while at < len(lines) and not lines[at].strip():
        at += 1
    if at >= len(lines) or lines[at].strip() not in {CAUSE, CONTEXT}:
        return None
    caused = lines[at].strip() == CAUSE
    for after in range(at + 1, min(at + 4, len(lines))):
        if HEAD in lines[after]:
            return caused, after
    return None
