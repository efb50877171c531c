"""What a run does so that no secret of it reaches a log record, a state or a stored parameter."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from autopack.settings import mask, redact, secrets_of


def protect(values: Mapping[str, Any]) -> None:
    """Let the redactor know every secret of this run, and the log records pass through it."""
    redact.learn_environment(os.environ)
    learn_urls(*(v for v in values.values() if isinstance(v, str)))
    learn_urls(*os.environ.values())
    protect_logging()


def learn_urls(*words: str) -> None:
    """Remember the secrets of these URLs, also as a traceback or JSON would spell them."""
    import json

    for word in words:
        if "://" in word:
            secrets = secrets_of(word)
            redact.learn(word, *(repr(s)[1:-1] for s in secrets if s))
            redact.learn(*(json.dumps(s)[1:-1] for s in secrets if s))


def protect_logging() -> None:
    """Redact every log record, its traceback included, before any handler sees it; once."""
    import logging

    made = logging.getLogRecordFactory()
    if getattr(made, "redacts", False):
        return

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = made(*args, **kwargs)
        try:
            record.msg, record.args = redact(record.getMessage()), None
        except (TypeError, ValueError):  # a bad format string; logging reports it itself
            return record
        if record.exc_info:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return record

    setattr(factory, "redacts", True)  # noqa: B010
    logging.setLogRecordFactory(factory)


def redact_error(error: BaseException) -> None:
    """Take every known secret out of an error's text, in place."""
    if redact(repr(error)) == repr(error) and redact(str(error)) == str(error):
        return
    error.args = tuple(redact(a) if isinstance(a, str) else redact(repr(a)) for a in error.args)
    for key, value in list(vars(error).items()):
        if isinstance(value, str):
            setattr(error, key, redact(value))


def masked(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return these parameters with every secret masked, as they may be stored."""
    shown = {}
    for key, value in values.items():
        text = mask(value) if isinstance(value, str) and secrets_of(value) else value
        shown[key] = redact(text) if isinstance(text, str) else text
    return shown
