"""Cut a JSON ledger into its members, byte for byte; the JSON grammar itself is the library's."""

from __future__ import annotations

import json
import re

from autopack.sot.segments import Kind, Note, Segments

_BLANK = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()
_ID_KEYS = ("rule_id", "id", "name")


def segment_json(data: bytes) -> Segments:
    """Return one segment per top-level member, or per element where a member is a list of objects.

    Invalid JSON stays one segment, with an `invalid_json` note of severity error.
    """
    out = Segments(data)
    out.begin(0, Kind.PREAMBLE, "")
    text = data.decode("utf-8", "surrogateescape")
    try:
        _members(text, out)
    except (ValueError, IndexError, RecursionError) as error:
        at = getattr(error, "pos", 0)
        out = Segments(data)
        out.begin(0, Kind.TEXT, "")
        offset = len(text[:at].encode("utf-8", "surrogateescape"))
        reason = getattr(error, "msg", "unexpected end")
        out.notes.append(Note("invalid_json", offset, f"not valid JSON: {reason}", "error"))
        return out.close()
    return out.close()


def _members(text: str, out: Segments) -> None:
    cursor = _Bytes(text)
    at = _skip(text, 0)
    if text[at] != "{":
        raise json.JSONDecodeError("a ledger is an object", text, at)
    at = _skip(text, at + 1)
    while text[at] != "}":
        start = at
        if text[at] != '"':
            raise json.JSONDecodeError("expected a member name", text, at)
        key, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if text[at] != ":":
            raise json.JSONDecodeError("expected ':'", text, at)
        at = _skip(text, at + 1)
        value, end = _DECODER.raw_decode(text, at)
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            out.begin(cursor.at(start), Kind.TEXT, "")
            _elements(text, at, key, out, cursor)
        else:
            out.begin(cursor.at(start), Kind.MEMBER, _clean(key))
        at = _separator(text, end, "}")
    if _skip(text, at + 1) != len(text):
        raise json.JSONDecodeError("text after the object", text, at + 1)


def _elements(text: str, at: int, key: str, out: Segments, cursor: _Bytes) -> None:
    at = _skip(text, at + 1)
    while text[at] != "]":
        value, end = _DECODER.raw_decode(text, at)
        name = next((str(value[k]) for k in _ID_KEYS if value.get(k)), "")
        out.begin(cursor.at(at), Kind.MEMBER, _clean(name or key))
        at = _separator(text, end, "]")


def _separator(text: str, at: int, closing: str) -> int:
    at = _skip(text, at)
    if text[at] == ",":
        at = _skip(text, at + 1)
        if text[at] == closing:
            raise json.JSONDecodeError(f"',' in front of '{closing}'", text, at)
    elif text[at] != closing:
        raise json.JSONDecodeError(f"expected ',' or '{closing}'", text, at)
    return at


def _skip(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match else at


def _clean(name: str) -> str:
    return name.replace("\0", "").encode("utf-8", "replace").decode()[:120]


class _Bytes:
    """Turn growing text positions into byte offsets, each byte encoded once."""

    def __init__(self, text: str) -> None:
        self.text, self.chars, self.offset = text, 0, 0

    def at(self, chars: int) -> int:
        self.offset += len(self.text[self.chars : chars].encode("utf-8", "surrogateescape"))
        self.chars = chars
        return self.offset
