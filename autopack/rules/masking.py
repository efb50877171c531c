"""The template of a message: what varies is masked by its kind, what the program says stays.

Every mask is the same sign, `<*>`: one position holds an address today and a host name tomorrow.
A word is masked on its own, so words can be cached; what only shows between words (dates in words,
amounts with their unit, names of users, lists of any length) is folded on the masked line.
"""

from __future__ import annotations

import re
from functools import lru_cache

MASK = "<*>"
LONGEST = 4000
"""Characters of a message that its template is made of."""
CACHED = 200_000
"""Words whose masks are kept."""

_END = r"\s\"'<>()\[\]{},;|`"
_VARIABLE = re.compile(
    rf"""
      <(?:email|ip|user|key|phone)>                                   # what redaction left
    | [A-Za-z][\w+.-]*://[^{_END}]+                            # URL
    | [\w.+-]+@[\w-]+(?:\.[\w-]+)*                              # e-mail, user@host
    | (?<!\w)[A-Za-z]:[\\/](?:[^{_END}:]*[^{_END}:.])?          # Windows path
    | (?<![\w\\])\\\\[^{_END}:]+                                # UNC path
    | (?<![\w.)\]\\/-])[~.]{{0,2}}/(?:[^{_END}=]*[^{_END}=:.])+ # POSIX path, /address:port
    | (?<![\w/])(?:[\w.@+-]+[\\/]){{2,}}[^{_END}=:]*            # relative path
    | (?<![\w./])[\w.@+-]+[\\/][\w@+-]*\.[\w.-]*\w             # folder/file.ext
    | (?<![\w.-])(?:[A-Za-z][\w-]*\.)+[\w-]+:\d+                # host:port
    | (?<![\w:])[\w-]{{1,16}}(?:::?[0-9A-Fa-f]{{1,4}}){{5,}}      # interface:IPv6
    | (?<![\w:])[0-9A-Fa-f]{{0,4}}(?:::?[0-9A-Fa-f]{{1,4}}){{2,}} # MAC, IPv6, clock
    | [+-]?(?:(?!\.\.)[^{_END}=:#])*\d(?:(?!\.\.)[^{_END}=:#])* # whatever holds a digit
    | (?<![\w-])[0-9a-f]{{8,}}(?![\w-])                         # hexadecimal without a digit
    | (?<![\w-])[0-9A-F]{{8,}}(?![\w-])
    | (?<![\w.-])(?:[Tt]rue|[Ff]alse|TRUE|FALSE)(?![\w.-])      # truth values
    | \*{{2,}}                                                  # a field with no value
    """,
    re.X,
)
_DIGITS = re.compile("[0-9]+")
"""No mask asks which digits stand there, so messages that differ in them alone are looked up."""
_SIMPLE = re.compile(r"([\[({\"']?)([\w.-]+)([\])}>\"',;:]*)")
"""What most words that vary look like; the same outcome as below, sooner."""
_NEEDS_MASK = re.compile(
    r"[\d/\\@]|<[eiukp]|\*\*|[Tt]rue|[Ff]alse|TRUE|FALSE|[0-9a-f]{8}|[0-9A-F]{8}"
)
_GLUED = re.compile(r"(?<!\w)\[<\*>\]:<\*>|<\*>(?:[:,.+|~#%@/*-]*<\*>)+%?")
_TRAILED = re.compile(r"<\*>%")

_DAYS = "Mon|Tue|Wed|Thu|Fri|Sat|Sun"
_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_UNITS = (
    "[kKMGTP]i?[Bb]|B|[Bb]ytes?|[nmuµ]s|s|secs?|seconds?|msecs?|milliseconds?|MILLISECONDS"
    "|mins?|minutes?|hours?|hrs?|days?|AM|PM|am|pm|UTC|GMT|[CEMP][SD]T"
)
_FOLDS = (
    (re.compile(r"<[\w.$]+ (?:object|instance) at <\*>>"), MASK),
    (re.compile(rf"(?<![\w.-])(?:(?:{_DAYS})[a-z]*,? )?(?:{_MONTHS})[a-z]* (?=<\*>)"), ""),
    (re.compile(rf"(?<![\w.-])(?:{_DAYS}),? (?=<\*>)"), ""),
    (re.compile(rf"<?<\*>(?: ?(?:{_UNITS}))(?![\w/=-]|[.:]\w)"), MASK),
    (re.compile(r"((?<!\w)user(?:name)?\s?=\s?)(?![<,;)\]])[\w.$\\+-]+"), rf"\1{MASK}"),
    (
        re.compile(
            r"((?<!\w)(?:(?:for|[Ii]nvalid|[Ii]llegal|unknown|of|as|by) user"
            r"|(?:password|publickey|failures?|login) for(?! (?:invalid|illegal|user))) )"
            r"(?!from |by |at |on |is |was |with |has |in |the |request|<\*>)"
            r"['\"]?[\w.$\\+-]*[\w$]['\"]?"
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"<\*>(?:(?: ?[,;/|&+-] ?| )<\*>)+"), MASK),
)


def mask_word(word: str) -> str:
    """Return a word, one that holds no blank, with what varies in it masked."""
    if not _NEEDS_MASK.search(word):
        return word
    simple = _SIMPLE.fullmatch(word)
    if simple and ".." not in word and _DIGITS.search(simple[2]):
        return f"{simple[1]}{MASK}{simple[3]}"
    return _mask_slowly(word)


def _mask_slowly(word: str) -> str:
    masked = _VARIABLE.sub(MASK, word)
    if "<*>%" in masked or masked.count(MASK) > 1:
        masked = _TRAILED.sub(MASK, _GLUED.sub(MASK, masked))
    return masked


class _Words(dict[str, str]):
    """The masks of words, each worked out when it is first met."""

    def __missing__(self, word: str) -> str:
        if len(self) >= CACHED:
            self.clear()
        made = self[word] = mask_word(word)
        return made


_words = _Words()


@lru_cache(maxsize=50_000)
def fold(masked: str) -> str:
    """Return a masked line with dates, amounts, names of users and lists folded."""
    for pattern, by in _FOLDS:
        masked = pattern.sub(by, masked)
    return masked


def template(message: str) -> str:
    """Return the template of a message: the same for every failure of its kind."""
    if len(message) > LONGEST:
        message = message[:LONGEST]
    if "\\04" in message:  # quotation marks as the C library and syslog escape them
        message = message.replace("\\042", '"').replace("\\047", "'")
    return _template(_DIGITS.sub("0", message))


@lru_cache(maxsize=20_000)
def _template(shape: str) -> str:
    return fold(" ".join(map(_words.__getitem__, shape.split())))


def forget() -> None:
    """Empty the caches, so that speed can be measured from cold."""
    _words.clear()
    _template.cache_clear()
    fold.cache_clear()
