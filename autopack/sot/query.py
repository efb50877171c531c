"""The text that search encodes, for entries and for questions alike.

The encoder splits at everything but letters and digits, folds case and stems English words.
What it can't do is added as words: the parts of `PendingMovesQueue`, an id as one token, and
the other names developers have for the same thing.
"""

from __future__ import annotations

import re

LONGEST = 100_000
"""Characters of an entry that are encoded; a log pasted into a ledger needs no more."""
_OWN_ID_WEIGHT = 4
_WORD = re.compile(r"[A-Za-z0-9]{4,64}(?![A-Za-z0-9])")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_ID = re.compile(r"\b([A-Za-z]{2,8})-(\d{1,6})\b")
_OWN_ID = re.compile(r"[#|\s]*(?:[\d-]{10}[\s|]+)?([A-Z]{2,8}-\d{1,6})\b")

_SAME = (
    "attempt retry",
    "auth authentication",
    "cap limit",
    "config configuration",
    "copy backup",
    "crash fail",
    "database db",
    "delete remove",
    "dependency deps",
    "directory dir folder",
    "docs documentation",
    "env environment",
    "fix repair",
    "id identifier",
    "incorrect wrong",
    "lease lock",
    "maximum max",
    "minimum min",
    "missing absent",
    "outdated stale",
    "parameters params",
    "permissions perms",
    "reject block",
    "repository repo",
    "specification spec",
    "synchronize sync",
    "utility util",
    "variables vars",
)
_OTHERS = {
    word: [other for other in group.split() if other != word]
    for group in _SAME
    for word in group.split()
}


def searchable(title: str, body: str) -> str:
    """Return the text that is encoded for an entry; its own id counts several times."""
    text = f"{title}\n{body[:LONGEST]}"
    own = _OWN_ID.match(body)
    names = [_token(own[1])] * _OWN_ID_WEIGHT if own else []
    mentioned = [_token(found[0]) for found in _ID.finditer(text)]
    return " ".join([text, *names, *mentioned, *_parts(text)])


def query_text(q: str) -> str:
    """Return the text that is encoded for a question."""
    text = _ID.sub(lambda found: _token(found[0]), q[:LONGEST])
    others = [name for word in re.findall(r"\w+", text.lower()) for name in _OTHERS.get(word, ())]
    return " ".join([text, *_parts(text), *others])


def _parts(text: str) -> list[str]:
    """Return the parts of the mixed-case names in a text, in its order."""
    return [
        part
        for word in _WORD.findall(text)
        if not (word.islower() or word.istitle() or word.isupper() or word.isdigit())
        for part in _PART.findall(word)
    ]


def _token(ident: str) -> str:
    """Return an id as one word, `DBG9` for DBG-009: zeros in front are not significant."""
    prefix, _, number = ident.partition("-")
    return f"{prefix}{int(number)}"
