"""python -m deployments.reference: write docs/reference.md from the signatures of all flows.

The signature of a flow is its command line and its form in the Prefect UI; this page is the third
reading of the same text. A test holds it against the code.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from autopack.errors import ExitCode
from flows.command import command_name, flow_parser
from tasks.engine import options_of, plain

HOME = Path(__file__).resolve().parents[1]
PAGE = HOME / "docs/reference.md"
OLD = "docs/reference.md is old. Next: python -m deployments.reference\n"
_HEAD = """# Reference

Every command with its parameters, made from the signatures by
`python -m deployments.reference`. The same parameters are the form of a deployment in the Prefect
UI. `--engine`, `--format`, `--json` and `--html` are taken by all of them;
[exit codes](exit_codes.md) are the same for all.
"""
_EVERYWHERE = frozenset({"--engine", "--format", "--json", "--html", "--version", "--help"})


def modules() -> list[str]:
    """Return the names of the modules of flows/ that are commands."""
    names = (path.stem for path in sorted((HOME / "flows").glob("*.py")))
    return [name for name in names if commands(name)]


def commands(module: str) -> list[Callable[..., Any]]:
    """Return the flows of a module, in the order in which they stand there."""
    loaded = import_module(f"flows.{module}")
    return [
        inner
        for found in vars(loaded).values()
        if callable(found)
        and (inner := plain(found)).__module__ == loaded.__name__
        and options_of(inner).prefect
    ]


def text() -> str:
    """Return the whole page."""
    lines = [_HEAD, *(line for name in modules() for line in _module(name))]
    return "\n".join(lines).rstrip() + "\n"


def _module(name: str) -> Iterator[str]:
    loaded = import_module(f"flows.{name}")
    yield f"## {name}\n"
    yield f"{inspect.getdoc(loaded)}\n"
    several = commands(name)
    for fn in several:
        prog = f"python -m flows.{name}"
        yield from _command(fn, f"{prog} {command_name(fn)}" if len(several) > 1 else prog)


def _command(fn: Callable[..., Any], prog: str) -> Iterator[str]:
    parser = flow_parser(fn, prog)
    yield f"### `{prog.removeprefix('python -m flows.')}`\n"
    yield f"{parser.description}\n"
    yield from (f"{group.description}\n" for group in parser._action_groups if group.description)
    rows = [_row(one) for one in parser._actions if not _EVERYWHERE & {*one.option_strings}]
    if rows:
        yield "| parameter | default | meaning |\n|---|---|---|"
        yield from rows
        yield ""


def _row(action: argparse.Action) -> str:
    named = f"`{'`, `'.join(action.option_strings)}`" if action.option_strings else _place(action)
    choices = f" One of {', '.join(map(str, action.choices))}." if action.choices else ""
    shown = action.default not in (None, False, argparse.SUPPRESS) and action.nargs != 0
    default = f"`{action.default}`" if shown else ""
    meaning = f"{(action.help or '').replace('%%', '%')}{choices}".replace("|", "\\|")
    return f"| {named} | {default} | {meaning} |"


def _place(action: argparse.Action) -> str:
    return f"`{action.metavar or action.dest.upper()}`"


def main() -> int:
    """Write the page, or with --check say whether it is current."""
    parser = argparse.ArgumentParser(prog="python -m deployments.reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether it is current")
    now = text()
    if parser.parse_args().check:
        current = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == now
        if not current:
            sys.stderr.write(OLD)
        return int(ExitCode.CLEAN if current else ExitCode.FINDINGS)
    PAGE.write_text(now, encoding="utf-8")
    return int(ExitCode.CLEAN)


if __name__ == "__main__":
    sys.exit(main())
