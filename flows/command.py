"""A flow's signature as its command line: one parser, made from types, marks and docstring."""

from __future__ import annotations

import argparse
import difflib
import inspect
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, NoReturn, get_args, get_origin, get_type_hints

from autopack.errors import MEANINGS, ExitCode
from autopack.settings import mask, redact
from tasks.engine import completed, plain
from tasks.marks import Between, Flags, Positional, Remainder

ENGINES = ("auto", "server", "temporary", "direct")
FORMATS = ("text", "json", "markdown", "sarif", "junit", "github", "html")
COMMON = ("workspace", "execute", "max_seconds", "database_url", "qdrant_host", "strict")


@dataclass(frozen=True)
class Command:
    """A command line that was understood: which flow, with what, where it runs, how it reports."""

    fn: Callable[..., Any]
    values: dict[str, Any]
    engine: str
    format: str


def parse(flows: Sequence[Callable[..., Any]], argv: Sequence[str]) -> Command:
    """Return the command for these words; anything wrong exits 2 in one line."""
    prog = f"python -m {_module(flows[0])}"
    if len(flows) == 1:
        fn, parser = flows[0], flow_parser(flows[0], prog)
        words = list(argv)
    else:
        fn, words = _subcommand(flows, prog, list(argv))
        default = fn is _default(flows)
        parser = flow_parser(fn, prog if default else f"{prog} {command_name(fn)}")
        if default:
            parser.epilog = f"{_commands(flows, prog)}\n\n{parser.epilog}"
    rest = _remainder(fn, words)
    values = {**vars(parser.parse_args(words)), **rest}
    engine, form = values.pop("engine"), values.pop("format")
    return Command(fn, completed(fn, values), engine, form)


def _remainder(fn: Any, words: list[str]) -> dict[str, Any]:
    """Take the words after `--` off, for the parameter that is marked for them."""
    hints = get_type_hints(plain(fn), include_extras=True)
    name = next((name for name, kind in hints.items() if _marked(kind, Remainder)), None)
    if name is None:
        return {}
    at = words.index("--") if "--" in words else len(words)
    taken = tuple(words[at + 1 :])
    del words[at:]
    return {name: taken}


def _module(fn: Any) -> str:
    """Return the module's name as one types it after `python -m`."""
    inner = plain(fn)
    if inner.__module__ != "__main__":
        return inner.__module__
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec.name if spec else f"flows.{Path(inspect.getfile(inner)).stem}"


def command_name(fn: Any) -> str:
    """Return the subcommand's name: the function's, without the file's name before it."""
    name: str = plain(fn).__name__
    return name.removeprefix(f"{_module(fn).rpartition('.')[2]}_").replace("_", "-")


class Parser(argparse.ArgumentParser):
    """An argument parser whose every error is one line with a hint, exit 2."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, in words of our own, and what to type next."""
        line = redact(" ".join(self._reworded(message).split()))
        stop = "" if line.endswith("?") else "."
        self.exit(int(ExitCode.USAGE), f"{self.prog}: {line}{stop} Next: {self.prog} --help\n")

    def _reworded(self, message: str) -> str:
        rules = (
            (r"argument (\S+): not allowed with argument (\S+)", r"\1 contradicts \2"),
            (r"argument (\S+): expected one argument", r"\1 needs a value"),
            (r"argument (\S+): expected at least one argument", r"\1 needs at least one value"),
            (r"argument (\S+): ignored explicit argument .*", r"\1 takes no value"),
            (r"the following arguments are required: (.*)", r"missing: \1"),
            (r"argument (\S+): (.*)", r"\1: \2"),
        )
        for pattern, words in rules:
            match = re.fullmatch(pattern, message, re.S)
            if match:
                return match.expand(words)
        return message

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Return the namespace; an unknown flag is answered with the nearest known one."""
        known, extra = self.parse_known_args(args, namespace)
        if extra:
            self._unknown(extra)
        return known

    def _unknown(self, extra: Sequence[str]) -> NoReturn:
        flags = [word.partition("=")[0] for word in extra if word.startswith("-")]
        if not flags or flags[0] in ("-", "--"):
            shown = mask(extra[0]) if "://" in extra[0] else extra[0]
            self.error(f"unexpected word {shown!r}")
        known = [flag for flag in self._option_string_actions if flag.startswith("--")]
        near = difflib.get_close_matches(flags[0], known, 1, 0.6)
        self.error(f"unknown flag {flags[0]}{f'; did you mean {near[0]}?' if near else ''}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            choices = [str(choice) for choice in action.choices]
            near = difflib.get_close_matches(str(value), choices, 1, 0.6)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise argparse.ArgumentError(
                action, f"{value!r} is not one of {', '.join(choices)}{hint}"
            )


class _Help(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=100)

    def _get_help_string(self, action: argparse.Action) -> str | None:
        text = action.help or ""
        shown = action.default not in (None, False, argparse.SUPPRESS, [], ())
        return f"{text} (default: %(default)s)".strip() if shown and action.nargs != 0 else text


def flow_parser(fn: Any, prog: str) -> Parser:
    """Return the parser of one flow."""
    inner = plain(fn)
    doc = inspect.cleandoc(inner.__doc__ or "")
    texts, hints = argument_texts(doc), get_type_hints(inner, include_extras=True)
    parameters = inspect.signature(inner).parameters
    rest = next((n for n in parameters if _marked(hints[n], Remainder)), None)
    parser = Parser(
        prog=prog,
        usage=f"{prog} [options] -- {rest.upper()} ..." if rest else None,
        description=re.split(r"^(?:Args|Returns|Raises|Examples):$", doc, flags=re.M)[0].strip(),
        epilog=_epilog(doc),
        formatter_class=_Help,
        allow_abbrev=False,
        add_help=False,
    )
    switches = [name for name in parameters if _marked(hints[name], Flags)]
    for name in switches:
        _add(parser, None, parameters[name], hints[name], texts.get(name, ""))
    own = parser.add_argument_group("options")
    common = parser.add_argument_group("run")
    for name in parameters:
        if name not in switches and not _marked(hints[name], Remainder):
            group = common if name in COMMON else own
            _add(parser, group, parameters[name], hints[name], texts.get(name, ""))
    _add_common(common, html="html" not in parameters)
    return parser


def _marked(kind: Any, mark: type) -> bool:
    return get_origin(kind) is Annotated and any(isinstance(m, mark) for m in get_args(kind)[1:])


def argument_texts(doc: str) -> dict[str, str]:
    """Return each parameter's text from the docstring's `Args:` section."""
    match = re.search(r"^Args:\n((?:(?:[ \t]+.*)?\n?)*)", doc + "\n", re.M)
    block = match[1] if match else ""
    pairs = re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", block, flags=re.M)
    return {name: " ".join(text.split()) for name, text in pairs}


def _epilog(doc: str) -> str:
    match = re.search(r"^Examples:\n((?:(?:[ \t]+.*)?\n?)*)", doc + "\n", re.M)
    examples = f"examples:\n{match[1].rstrip()}\n\n" if match else ""
    rows = "\n".join(
        f"  {code.value:>3}  {meaning.replace('`', '')}" for code, meaning in MEANINGS.items()
    )
    return f"{examples}exit codes:\n{rows}"


def _add(parser: Parser, group: Any, parameter: inspect.Parameter, kind: Any, text: str) -> None:
    marks: Sequence[Any] = ()
    if get_origin(kind) is Annotated:
        kind, *marks = get_args(kind)
    help_text = text.replace("%", "%%")
    required = parameter.default is parameter.empty
    default = None if required else parameter.default
    name, flag = parameter.name, "--" + parameter.name.replace("_", "-")
    if any(isinstance(mark, Flags) for mark in marks):
        _add_switches(parser, name, get_args(kind), default, help_text)
        return
    if kind is bool:
        word = f"--no-{flag[2:]}" if default else flag
        action = "store_false" if default else "store_true"
        group.add_argument(word, dest=name, action=action, default=default, help=help_text)
        return
    options: dict[str, Any] = {"default": default, "help": help_text, **_value(kind, marks)}
    if any(isinstance(mark, Positional) for mark in marks):
        if not required and "nargs" not in options:
            options["nargs"] = "?"
        if "choices" in options:
            options.pop("metavar", None)
        else:
            options["metavar"] = name.upper()
        parser.add_argument(name, **options)
        return
    if options.pop("nargs", None):
        options["action"], options["nargs"] = "extend", "+"
    group.add_argument(flag, dest=name, required=required, **options)


def _add_switches(
    parser: Parser, name: str, values: Sequence[str], default: Any, text: str
) -> None:
    group = parser.add_argument_group(name, text).add_mutually_exclusive_group()
    for value in values:
        words = "the default" if value == default else ""
        group.add_argument(
            f"--{value}", dest=name, action="store_const", const=value, default=default, help=words
        )


def _value(kind: Any, marks: Sequence[Any]) -> dict[str, Any]:
    """Return the argparse options for one type."""
    inner = [part for part in get_args(kind) if part is not NoneType]
    if get_origin(kind) is Literal:
        return {"choices": get_args(kind), "type": type(get_args(kind)[0])}
    if get_origin(kind) in (list, tuple):
        return {**_value(inner[0], marks), "nargs": "*"}
    if inner:
        return _value(inner[0], marks)
    bounds = next((mark for mark in marks if isinstance(mark, Between)), None)
    return {"type": _reader(kind, bounds), "metavar": "TEXT" if kind is str else "N"}


def _reader(kind: type, bounds: Between | None) -> Callable[[str], Any]:
    def read(word: str) -> Any:
        try:
            value = kind(word)
        except ValueError:
            wanted = {"int": "a whole number", "float": "a number"}.get(kind.__name__, "a value")
            raise argparse.ArgumentTypeError(f"{word!r} is not {wanted}") from None
        if bounds and not bounds.low <= value <= bounds.high:
            raise argparse.ArgumentTypeError(
                f"{word} is not between {bounds.low:g} and {bounds.high:g}"
            )
        return value

    return read


def _add_common(group: Any, *, html: bool) -> None:
    group.add_argument(
        "--engine",
        choices=ENGINES,
        default="auto",
        help="where the run is recorded: a Prefect server that answers, a temporary one, or none",
    )
    group.add_argument(
        "--format", choices=FORMATS, default="text", help="how the report is printed"
    )
    group.add_argument(
        "--json",
        dest="format",
        action="store_const",
        const="json",
        default=argparse.SUPPRESS,
        help="the report as JSON on stdout, nothing else; the same as --format json",
    )
    if html:
        group.add_argument(
            "--html",
            dest="format",
            action="store_const",
            const="html",
            default=argparse.SUPPRESS,
            help="the report as one page on stdout; the same as --format html",
        )
    group.add_argument(
        "--version", action=_Version, nargs=0, **_UNSTORED, help="show the version and exit"
    )
    group.add_argument("-h", "--help", action="help", help="show this help and exit")


_UNSTORED: dict[str, Any] = {"dest": argparse.SUPPRESS, "default": argparse.SUPPRESS}


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_rest: Any) -> None:
        from autopack import __version__

        parser.exit(0, f"autopack-pipelines {__version__}\n")


def _default(flows: Sequence[Callable[..., Any]]) -> Callable[..., Any] | None:
    """Return the flow that runs where no command is named: it has the file's own name."""
    stem = _module(flows[0]).rpartition(".")[2]
    return next((fn for fn in flows if plain(fn).__name__ == stem), None)


def _commands(flows: Sequence[Callable[..., Any]], prog: str) -> str:
    """Return a line for each command."""
    rows = (
        f"  {command_name(fn):<18} {(plain(fn).__doc__ or '').strip().splitlines()[0]}"
        for fn in flows
        if fn is not _default(flows)
    )
    return "\n".join(["commands:", *rows, "", f"{prog} COMMAND --help shows a command's flags."])


def _subcommand(
    flows: Sequence[Callable[..., Any]], prog: str, words: list[str]
) -> tuple[Callable[..., Any], list[str]]:
    """Return the flow that the first word names, and the words after it."""
    default = _default(flows)
    by_name = {command_name(fn): fn for fn in flows if fn is not default}
    if words and words[0] in by_name:
        return by_name[words[0]], words[1:]
    if default and (not words or words[0].startswith("-")):
        return default, words
    parser = Parser(
        prog=prog,
        usage=f"{prog} COMMAND ...",
        description=(sys.modules[plain(flows[0]).__module__].__doc__ or "").strip(),
        epilog=f"{_commands(flows, prog)}\n\n{_epilog('')}",
        formatter_class=_Help,
        allow_abbrev=False,
        add_help=False,
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, **_UNSTORED, help="show the version and exit"
    )
    parser.add_argument("-h", "--help", action="help", help="show this help and exit")
    if not words:
        parser.error(f"which command? one of {', '.join(by_name)}")
    if words[0].startswith("-"):
        if words[0] in parser._option_string_actions:
            parser.parse_args(words[:1])
        parser.error(f"the command comes first, one of {', '.join(by_name)}")
    near = difflib.get_close_matches(words[0], by_name, 1, 0.5)
    hint = f"; did you mean {near[0]}?" if near else f"; one of {', '.join(by_name)}"
    parser.error(f"unknown command {words[0]!r}{hint}")
