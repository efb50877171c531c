"""Every code a phase spec or a path can be refused with; a code never changes its meaning."""

from __future__ import annotations

from autopack.report import Severity

Code = str
"""Letters and three digits; the hundreds tell the kind: 0 file, 1 key, 2 path, 3 scope, …"""

CODES: dict[Code, str] = {
    "PS001": "the file is empty",
    "PS002": "the file is not plain UTF-8, or begins with a byte order mark",
    "PS003": "the file is not well-formed JSON or YAML",
    "PS004": "the file is too large or nested too deeply",
    "PS005": "a key stands twice in one object",
    "PS006": "a number that JSON does not have, or with more than 18 digits",
    "PS007": "a YAML anchor, alias, tag, merge, second document or key that is no text",
    "PS008": "neither a phase nor a plan with phases",
    "PS101": "a key is missing",
    "PS102": "an unknown key",
    "PS103": "a value of the wrong type",
    "PS104": "`id` and `phase_id` both name the phase",
    "PS105": "two phases have one name",
    "PS106": "a placeholder of the draft is still there",
    "PS107": "empty where something must be said",
    "PS201": "a path with an empty, `.` or `..` segment",
    "PS202": "an absolute path, a drive or a network share",
    "PS203": "a backslash in a path",
    "PS204": "bytes that are no UTF-8, control or invisible characters in a path",
    "PS205": "a path that Unicode can spell or show in another way (not NFKC, lookalikes)",
    "PS206": "a sign that means something to a shell, a drive or a glob: `:`, `~`, `$`, `%` …",
    "PS207": "a path segment that begins or ends with a space, or ends with a dot",
    "PS208": "a device name of Windows",
    "PS209": "a git control folder, under any of its spellings",
    "PS210": "a path or segment that is too long",
    "PS211": "the path goes through a symbolic link",
    "PS212": "the file has a second name (hard link)",
    "PS213": "a folder, a device or a file stands where the path wants something else",
    "PS214": "the path is outside what the phase may write",
    "PS215": "the path is read-only context",
    "PS216": "the path is protected by the policy or the phase",
    "PS301": "a glob with two readings: negation, brackets, `**` within a name, over 3 stars",
    "PS302": "a glob that covers everything",
    "PS303": "what may be written reaches what is protected",
    "PS304": "what may be written reaches read-only context",
    "PS305": "read-only context that does not exist",
    "PS306": "what may be written lies behind a symbolic link",
    "PS401": "a validation command that the policy does not allow",
    "PS402": "a validation command that checks nothing",
    "PS403": "a validation command that is a shell's, not a list of words",
    "PS404": "a timeout above the policy's ceiling or the phase's own seconds",
    "PS405": "a validation command's path that is not there and may not be written",
    "PS406": "`scope.test_cmd` says something else than `validation.argv`, which is what runs",
    "PS501": "a budget that is no whole number above 0",
    "PS502": "a budget above the policy's ceiling for a phase",
    "PS503": "the phases together spend more than the run states",
    "PS504": "the phases together exceed the policy's ceiling for a run",
    "PS601": "a learned rule at stage lint has something to say",
    "PS701": "a file was changed outside what the phase may write",
    "PS702": "a file was created outside what the phase may write",
    "PS703": "a file was deleted outside what the phase may write",
    "PS704": "a mode or owner was changed outside, or a set-id or sticky bit set anywhere",
    "PS705": "a symbolic link was made or turned elsewhere",
    "PS706": "a file has a second name (hard link)",
    "PS707": "a file, folder, pipe, socket or device took the place of another kind",
    "PS708": "a folder was created, deleted or replaced outside what the phase may write",
    "PS709": "read-only context was changed",
    "PS710": "what the policy or the phase protects was changed",
    "PS711": "git's configuration, hooks or control files were changed",
    "PS712": "git's history was moved: HEAD, a branch, a tag, the stash or a log",
    "PS713": "git's index was changed: staged, or a file hidden from git",
    "PS714": "a git repository was made within the workspace",
    "PS715": "a name was made that is no canonical path",
    "PS716": "a folder cannot be read: nobody can tell what the phase put there",
    "PS720": "more files were changed than the budget has",
    "PS721": "more lines were changed than the budget has",
    "PS722": "the phase took more seconds than the budget has",
    "PS723": "the command of the phase failed",
    "PS724": "the validation command failed, or was not over in time",
    "PS725": "a process of the phase outlived it and was ended",
    "PS730": "a tool's cache was left, which git does not guard",
    "PS731": "nothing kept the command from writing outside its scope",
    "PS732": "the phase was begun anew: what it changed before that is not compared",
}
"""What each code means, in the order of the documentation."""

_WARNINGS = frozenset({"PS105", "PS406", "PS601", "PS725", "PS730", "PS731", "PS732"})


def severity(code: Code) -> Severity:
    """Return how bad a code is: an error refuses the spec."""
    return "warning" if code in _WARNINGS else "error"


def code_table() -> str:
    """Return the codes as a Markdown table, as the docs print it."""
    rows = [f"| {code} | {severity(code)} | {words} |" for code, words in CODES.items()]
    return "\n".join(["| code | severity | meaning |", "|---|---|---|", *rows])
