"""What must not be kept: keys and passwords by name or by shape, and what says who somebody is.

Applied to every text of a failure before it is stored, shown or made into a template. Loopback
addresses stay, they are nobody's.
"""

from __future__ import annotations

import re

from autopack.settings import redact

_NAMES = (
    r"pass(?:word|wd|phrase)?|pwd|secret|api[-_ ]?key|access[-_]?key|private[-_]?key|auth[-_]?key"
    r"|(?<![A-Za-z])token(?!s)|[-_]token(?!s)|authorization|cookie|credentials?|session[-_]?id|dsn"
)
_RULES = (
    (re.compile(r"-----BEGIN [A-Z ]*KEY-----.*?(?:-----END [A-Z ]*-----|\Z)", re.S), "<key>"),
    (re.compile(r"(?<=://)[^\s/@:]{0,256}:[^\s@]{0,1024}@"), "***:***@"),
    (
        re.compile(
            rf"((?:{_NAMES})(?:[-_]?(?:hash|value|id|key|string|text|header|\d+))?\\?[\"']?\s*(?::|=>?)\s*)"
            r"(?!\\?[\"']?(?:\d{1,9}|None|null|[Tt]rue|[Ff]alse)(?![\w-]))"
            r"(?:(?:Bearer|Basic|Token)\s+)?"
            r"(?:\\?\"(?:[^\"\\\n]|\\.)*\\?\"?|'(?:[^'\\\n]|\\.)*'?|[^\s,;&'\"}\])]+)",
            re.I,
        ),
        r"\1***",
    ),
    (  # a password of digits alone; what else is named so may be a count
        re.compile(r"((?:pass(?:word|wd|phrase|code)?|pwd)\\?[\"']?\s*(?::|=>?)\s*)\d+", re.I),
        r"\1***",
    ),
    (
        re.compile(
            rf"(?<![\w-])(--?(?:[a-z]+[-_]){{0,3}}(?:{_NAMES})\s+)(?!-)(?:\"[^\"\n]*\"|'[^'\n]*'|\S+)",
            re.I,
        ),
        r"\1***",
    ),
    (re.compile(r"(?<!\w)([A-Z][A-Z\d_]*_KEY\s*=\s*)[^\s,;&'\"]+"), r"\1***"),
    (re.compile(r"([?&](?:x-amz-)?sig(?:nature)?=)[^\s&#'\"<>]+", re.I), r"\1***"),
    (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9+/=._~-]{8,}"), r"\1 ***"),
    (
        re.compile(
            r"(?<![\w-])(?:sk|pk|rk)[-_][\w-]{16,}|(?<!\w)gh[pousr]_\w{16,}|github_pat_\w{16,}"
            r"|(?<!\w)xox[a-z]-[\w-]{8,}|(?<!\w)(?:AKIA|ASIA)[A-Z0-9]{12,}|AIza[\w-]{20,}"
            r"|(?<!\w)(?:glpat|hf|npm|pypi)[-_][\w-]{16,}|(?<![A-Za-z0-9])eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?"
        ),
        "<key>",
    ),
    (re.compile(r"(?<![\w.])\+\d{1,3}[ .(/-]?\(?\d(?:[ ()./-]{0,2}\d){6,12}(?!\w)"), "<phone>"),
    (re.compile(r"(?<![\w.%+-])[\w.%+-]{1,256}@[\w-]+(?:\.[\w-]+)+"), "<email>"),
    (
        re.compile(
            r"((?:/|\\{1,4})(?:home|Users|Documents and Settings)(?:/|\\{1,4}))"
            r"(?:[^\s/\\\"':<>]+(?: [^\s/\\\"':<>]+){0,2}(?=[\\/])|[^\s/\\\"':<>]+)",
            re.I,
        ),
        r"\1<user>",
    ),
    (
        re.compile(
            r"(?<![\w.])(?!127\.|0\.0\.0\.0)"
            r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?!\w|\.\d)"
        ),
        "<ip>",
    ),
    (re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:){4,7}[0-9A-Fa-f]{1,4}(?![\w:])"), "<ip>"),
    (
        re.compile(
            r"(?<![\w:.])(?!::1?(?![\w:]))(?=[\dA-Fa-f:]*\d)[0-9A-Fa-f:]*::[0-9A-Fa-f:]*(?![\w:])"
        ),
        "<ip>",
    ),
)  # fmt: skip
_LONG = re.compile(
    r"(?<![\w/+.\\-])(?:[A-Za-z0-9][A-Za-z0-9+/]{39}(?![\w/+.\\=-])|"
    r"(?<![\w/+.\\-])[A-Za-z0-9_+-]{32,}={0,2}(?![\w/.\\-]))"
)


def scrub(text: str) -> str:
    """Return a text without secrets and without personal data; half a surrogate pair as words."""
    text = redact(text.encode("utf-8", "backslashreplace").decode("utf-8"))
    for pattern, by in _RULES:
        text = pattern.sub(by, text)
    return _LONG.sub(_key, text)


def _key(found: re.Match[str]) -> str:
    """Take a long word for a key when it mixes capitals, small letters and digits as keys do."""
    word = found[0]
    mixed = re.search(r"[a-z]", word) and re.search(r"[A-Z]", word) and re.search(r"\d", word)
    return "<key>" if mixed else word
