"""ask, route, what-if, redact, utility: one text, or one JSON object a line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import typer

from lancelot import settings
from lancelot.cli.connect import Connection, connect
from lancelot.cli.output import NEEDS_PERSON, Out, command, json_lines, read_text
from lancelot.config import load_config
from lancelot.errors import BadInput, LancelotError
from lancelot.redaction.redactor import Redactor
from lancelot.routing.explain import explain_prompt
from lancelot.routing.policy import RoutingPolicy

__all__ = ["register"]

Text = Annotated[str | None, typer.Argument(help="The text; standard input when it is - or missing.")]
JsonLines = Annotated[bool, typer.Option("--jsonl", help="Read objects from standard input, write one for each.")]
FIELD_TYPES = ("string", "number", "boolean", "date")


def ask(
    out: Out,
    text: Text = None,
    model: Annotated[str, typer.Option(help="lancelot, or lancelot-local, -fast, -deep to force a lane.")] = "lancelot",
) -> int:
    """One routed request: the answer, the lane, the reasons, the receipt."""
    said = read_text(text)
    with connect() as server:
        try:
            response = server.call(
                "POST", "/v1/chat/completions", json={"model": model, "messages": [{"role": "user", "content": said}]}
            )
        except LancelotError as problem:
            if problem.code == "approval_needed":
                typer.echo(str(problem), err=True)
                return NEEDS_PERSON
            raise
        receipt_id = response.headers["x-lancelot-receipt"]
        receipt = server.get(f"/router/receipts/{receipt_id}")["receipt"]
    body = response.json()
    answer = body["choices"][0]["message"]["content"]
    document = {
        "answer": answer,
        "lane": response.headers["x-lancelot-lane"],
        "reasons": receipt["reasons"],
        "receipt_id": receipt_id,
        "model": receipt["model"],
        "redactions": receipt["redactions"],
        "usage": body["usage"],
        "cost_usd": receipt["cost_usd"],
        "latency": receipt["latency"],
    }
    removed = ", ".join(f"{count} {label}" for label, count in sorted(receipt["redactions"].items())) or "nothing"
    cost = "cost unknown" if receipt["cost_usd"] is None else f"${receipt['cost_usd']}"
    out.note(f"[{document['lane']} lane, {receipt['model']}; redacted: {removed}; {cost}; receipt {receipt_id}]")
    out.result(document, answer or "")
    return 0


def route(
    out: Out,
    text: Text = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say which lane and why; no call is made.")] = False,
    jsonl: JsonLines = False,
) -> int:
    """Which lane a text would take, and why. Without --explain the request is carried out, as `ask` does."""
    if not explain:
        return ask(out, text)
    policy = RoutingPolicy.from_config(load_config(settings.config_dir()).router)

    def one(item: dict[str, Any]) -> dict[str, Any]:
        prompt = item.get("prompt")
        if not isinstance(prompt, str) or not prompt.strip():
            raise BadInput("`prompt` must be a text.", param="prompt")
        signals = item.get("signals")
        if signals is not None and not isinstance(signals, dict):
            raise BadInput("`signals` must be an object.", param="signals")
        return explain_prompt(prompt, signals=signals, config=policy)

    if jsonl:
        return json_lines(out, one)
    found = one({"prompt": read_text(text)})
    score = f"{found['deep_score']:.2f}" if found["deep_score"] is not None else "unknown"
    out.result(
        found,
        [f"{found['lane']} lane (deep score {score}, risk {found['risk']}, task {found['task']})"]
        + [f"  - {reason}" for reason in found["reasons"]],
    )
    return 0


def what_if(
    out: Out,
    changed: Annotated[
        list[str] | None, typer.Option("--set", help="A threshold, such as deep_score=0.5; may be repeated.")
    ] = None,
    rules: Annotated[
        Path | None, typer.Option(help="All of router.yaml as it would be.", exists=True, dir_okay=False)
    ] = None,
    most: Annotated[int, typer.Option(min=1, max=50_000, help="Past requests at most, newest first.")] = 10_000,
) -> int:
    """How many past requests other thresholds or rules would have moved, and what that would have cost or saved."""
    body: dict[str, Any] = {"most": most}
    if rules is not None:
        body["router_yaml"] = rules.read_text("utf-8")
    if changed:
        body["thresholds"] = dict(_threshold(one) for one in changed)
    with connect() as server:
        found = server.post("/router/what-if", body)
    moved = sum(one["requests"] for one in found["moved"])
    lines = [f"{moved:,} of {found['looked_at']:,} past requests would have gone another way"]
    lines += [f"  {one['from']} to {one['to']}: {one['requests']:,}" for one in found["moved"]]
    if moved:
        lines.append(
            f"cost: ${found['cost_usd']} became ${found['cost_then_usd']} (not known for {found['unpriced']:,})"
        )
    out.result(found, [*lines, *(f"not tried: {name}" for name in found["untried"])])
    return 0


def _threshold(given: str) -> tuple[str, float | str]:
    name, found, value = given.partition("=")
    if not found:
        raise BadInput(f"{given} is not NAME=VALUE.", hint="For example --set deep_score=0.5.")
    try:
        return name.strip(), float(value)
    except ValueError:
        return name.strip(), value.strip()


def redact(
    out: Out,
    text: Text = None,
    policy: Annotated[str, typer.Option(help="default or strict, or one of config/router.yaml.")] = "default",
    mode: Annotated[Literal["fast", "thorough"], typer.Option(help="thorough adds the local model's spans.")] = "fast",
    jsonl: JsonLines = False,
) -> int:
    """What would leave this machine of a text: placeholders and the spans they stand for."""
    if mode == "thorough":
        with connect() as server:
            return _each(
                out,
                text,
                jsonl,
                lambda item: server.post(
                    "/v1/utility/redact", {"text": _text_of(item), "policy": policy, "mode": mode}
                ),
            )
    policies = load_config(settings.config_dir()).router.redaction.policies
    if policy not in policies:
        raise BadInput(f"There is no policy {policy}.", hint=f"Policies: {', '.join(sorted(policies))}.")
    redactor = Redactor(policies)

    def one(item: dict[str, Any]) -> dict[str, Any]:
        found = redactor.redact(_text_of(item), policy=policy, mode=mode)
        spans = [{"start": s.start, "end": s.end, "label": s.label, "rule": s.rule} for s in found.spans]
        return {"text": found.text, "spans": spans}

    return _each(out, text, jsonl, one)


def _each(out: Out, text: str | None, jsonl: bool, work: Any) -> int:
    if jsonl:
        return json_lines(out, work)
    found = work({"text": read_text(text)})
    words = [found["text"], *(f"  {s['label']:<14} {s['start']}-{s['end']}" for s in found["spans"])]
    out.result(found, words)
    return 0


def _text_of(item: dict[str, Any]) -> str:
    said = item.get("text")
    if not isinstance(said, str):
        raise BadInput("`text` must be a text.", param="text")
    return said


def classify(
    out: Out,
    text: Text = None,
    labels: Annotated[str | None, typer.Option(help="Labels, separated by commas; the six intents by default.")] = None,
    jsonl: JsonLines = False,
) -> int:
    """Which of the labels fits, and how sure the local model is."""
    names = [name.strip() for name in labels.split(",") if name.strip()] if labels else None
    return _utility(out, "classify", text, jsonl, {"labels": names} if names else {})


def extract(
    out: Out,
    schema: Annotated[Path, typer.Option(help='{"field": "string|number|boolean|date"}', exists=True, dir_okay=False)],
    text: Text = None,
    jsonl: JsonLines = False,
) -> int:
    """Fill a schema from a text; always valid JSON, null for what the text does not say."""
    try:
        fields = orjson.loads(schema.read_bytes())
    except orjson.JSONDecodeError:
        raise BadInput(f"{schema.name} is not valid JSON.") from None
    if not isinstance(fields, dict) or not fields or any(kind not in FIELD_TYPES for kind in fields.values()):
        raise BadInput(f"{schema.name} is not a schema.", hint='For example {"total": "number", "due": "date"}')
    return _utility(out, "extract", text, jsonl, {"schema": fields})


def summarize(out: Out, text: Text = None, jsonl: JsonLines = False) -> int:
    """One or two sentences that say nothing the text does not."""
    return _utility(out, "summarize", text, jsonl, {})


def rewrite(out: Out, text: Text = None, jsonl: JsonLines = False) -> int:
    """The last query of a conversation as one self-contained search query."""
    return _utility(out, "rewrite", text, jsonl, {})


SHOWN = {"classify": "label", "summarize": "summary", "rewrite": "query"}


def _utility(out: Out, task: str, text: str | None, jsonl: bool, extra: dict[str, Any]) -> int:
    with connect() as server:
        if jsonl:
            return json_lines(out, lambda item: _call(server, task, extra | item))
        found = _call(server, task, extra | {"text": read_text(text)})
    words = (
        str(found[SHOWN[task]]) if task in SHOWN else orjson.dumps(found["data"], option=orjson.OPT_INDENT_2).decode()
    )
    out.result(found, words)
    return 0


def _call(server: Connection, task: str, payload: dict[str, Any]) -> Any:
    _text_of(payload)
    return server.post(f"/v1/utility/{task}", payload)


def register(app: typer.Typer) -> None:
    for plain in (ask, route, redact):
        command(app)(plain)
    command(app, "what-if")(what_if)
    group = typer.Typer(help="Tasks of the local utility model; nothing leaves this machine.", no_args_is_help=True)
    for task in (classify, extract, summarize, rewrite):
        command(group)(task)
    app.add_typer(group, name="utility")
