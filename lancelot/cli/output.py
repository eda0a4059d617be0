"""How commands speak: one JSON document or plain lines on standard output, `code: title (hint)` on standard error."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from lancelot.errors import BadInput, LancelotError
from local_models.errors import ModelError

__all__ = ["NEEDS_PERSON", "Out", "command", "json_lines", "read_text"]

FAILED, WRONG_USAGE, NEEDS_PERSON = 1, 2, 3

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Everything the product writes.", envvar="LANCELOT_DATA_DIR", show_envvar=True),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document (one object a line where it streams).")]


class Out:
    """What a command prints with: JSON when asked, words otherwise."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    def result(self, document: Any, words: str | Iterable[str] | None = None) -> None:
        """The command's result: the document as JSON, or the words (lines) for a person."""
        if self.as_json or words is None:
            self.line(document)
            return
        for line in [words] if isinstance(words, str) else words:
            sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    def line(self, document: Any) -> None:
        """One JSON document on one line, flushed."""
        sys.stdout.write(orjson.dumps(document, default=_plain).decode() + "\n")
        sys.stdout.flush()

    def note(self, words: str) -> None:
        """Progress for a person, on standard error; silent with --json."""
        if not self.as_json:
            sys.stderr.write(f"{words}\n")
            sys.stderr.flush()


def _as_error(problem: OSError) -> LancelotError:
    """A file that cannot be read or written, as the error a person can act on."""
    at = f" ({problem.filename})" if problem.filename else ""
    return LancelotError(
        f"{problem.strerror or 'A file could not be used'}{at}.",
        hint="Check the path, its permissions and the space on the disk; --data-dir names another folder.",
        code="file_unusable",
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"not JSON: {type(value).__name__}")


def command(app: typer.Typer, name: str | None = None, **settings: Any) -> Callable[[Callable[..., Any]], Any]:
    """Register a command whose first parameter is `out`; it gains --data-dir and --json, and errors become exit codes.

    The function returns None or 0 for success, or an exit code of its own (3 when a person must act).
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(function, eval_str=True)
        own = list(signature.parameters.values())[1:]
        added = [
            inspect.Parameter("data_dir", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=DataDir),
            inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=AsJson),
        ]

        @functools.wraps(function)
        def run(*args: Any, data_dir: Path | None = None, as_json: bool = False, **kwargs: Any) -> None:
            if data_dir is not None:
                os.environ["LANCELOT_DATA_DIR"] = str(data_dir.expanduser().resolve())
            try:
                code = function(Out(as_json), *args, **kwargs)
            except (LancelotError, ModelError) as problem:
                typer.echo(f"{problem.code}: {problem.title} ({problem.hint})", err=True)
                raise typer.Exit(FAILED) from None
            except BrokenPipeError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise typer.Exit(FAILED) from None
            except OSError as problem:  # a file or folder that cannot be read or made
                typer.echo(str(_as_error(problem)), err=True)
                raise typer.Exit(FAILED) from None
            if code:
                raise typer.Exit(code)

        keyword = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
        run.__signature__ = inspect.Signature([*keyword, *added])  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in [*keyword, *added]}
        del run.__wrapped__
        app.command(name, **settings)(run)
        return function

    return register


def read_text(text: str | None) -> str:
    """The argument, or standard input when there is none or it is `-`.

    Raises:
        BadInput: not UTF-8, or empty.
    """
    if text is None or text == "-":
        try:
            text = sys.stdin.buffer.read().decode("utf-8")
        except UnicodeDecodeError:
            raise BadInput("The input is not UTF-8.", hint="Convert it, for example with iconv.") from None
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # bytes of an argument that are no text arrive as lone surrogates
        raise BadInput("The text is not UTF-8.", hint="Convert it, for example with iconv.") from None
    if not text.strip():
        raise BadInput("There is no text.", hint="Give it as an argument or on standard input.")
    return text


def json_lines(out: Out, work: Callable[[dict[str, Any]], Any]) -> int:
    """Carry out one object a line from standard input, in order; a bad line gives {"error": …} in its place.

    Returns:
        0, or 1 when any line failed.
    """
    failed = False
    for raw in _lines():
        try:
            item = orjson.loads(raw)
            if not isinstance(item, dict):
                raise BadInput("A line must be a JSON object.")
            result = work(item)
        except orjson.JSONDecodeError:
            result, failed = {"error": BadInput("This line is not valid JSON.", code="bad_json").to_dict()}, True
        except LancelotError as problem:
            result, failed = {"error": problem.to_dict()}, True
        out.line(result)
    return FAILED if failed else 0


def _lines() -> Iterator[bytes]:
    for raw in sys.stdin.buffer:
        if raw.strip():
            yield raw
