"""The local model over HTTP: OpenAI's chat completions, five utility tasks, health and metrics.

    python -m local_models.service --weights FILE [--adapter FILE] [--chat-weights FILE] [--host H] [--port P]
        [--announce FILE] [--model-id ID] [--format NAME] [--watch-stdin]

Binds 127.0.0.1 unless told otherwise (LANCELOT_LOCAL_HOST). /health answers from the first moment on: 503 `starting`,
then 200 `ready`; 503 `stalled` when a forward pass hangs, `failed` with the reason when the model cannot be loaded.
Texts and answers are never logged.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from local_models.answers import answer_of, submit
from local_models.engine import Engine, EngineSettings
from local_models.errors import BadTask, EngineFailed, ModelError
from local_models.serving import Holder, log_to, refuse_exposure, serve
from local_models.streaming import chat_reply, chat_stream
from local_models.wire import ChatBody, ClassifyBody, ExtractBody, RewriteBody, TextBody, error_body
from local_models.work import Cancelled, Ticket, Timing

__all__ = ["create_app", "main"]

T = TypeVar("T")
LONGEST_BODY = 4_000_000  # bytes
log = logging.getLogger("local_models.service")


def create_app(holder: Holder, *, drain_s: float = 10.0) -> FastAPI:
    """The service's routes over a holder."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        holder.start()
        yield
        await asyncio.to_thread(holder.drain, drain_s)

    app = FastAPI(title="Lancelot local model", version="1", lifespan=lifespan)
    _errors(app)
    app.add_middleware(BoundedBody)

    @app.get("/health")
    async def health() -> JSONResponse:
        state = holder.state
        body: dict[str, Any] = {
            "service": "lancelot-local-model",
            "status": state,
            "model": holder.model_id,
            "weight_format": holder.weight_format,
            "uptime_s": round(time.time() - holder.started, 1),
        }
        if holder.problem:
            body["error"] = holder.problem.to_dict()
        if state in ("ready", "draining"):
            tasks = holder.engine.tasks
            body |= {"queue": tasks.waiting, "active": tasks.active}
        return JSONResponse(body, status_code=200 if state == "ready" else 503)

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        card = {"id": holder.model_id, "object": "model", "created": int(holder.started), "owned_by": "local"}
        return {"object": "list", "data": [card]}

    @app.get("/metrics")
    async def metrics() -> PlainTextResponse:
        return PlainTextResponse(_metrics(holder))

    @app.post("/v1/utility/classify")
    async def classify(body: ClassifyBody, request: Request) -> Response:
        return await _task(holder, "classify", body, request)

    @app.post("/v1/utility/extract")
    async def extract(body: ExtractBody, request: Request) -> Response:
        return await _task(holder, "extract", body, request)

    @app.post("/v1/utility/summarize")
    async def summarize(body: TextBody, request: Request) -> Response:
        return await _task(holder, "summarize", body, request)

    @app.post("/v1/utility/redact")
    async def redact(body: TextBody, request: Request) -> Response:
        return await _task(holder, "redact", body, request)

    @app.post("/v1/utility/rewrite")
    async def rewrite(body: RewriteBody, request: Request) -> Response:
        return await _task(holder, "rewrite", body, request)

    @app.post("/v1/chat/completions")
    async def chat(body: ChatBody, request: Request) -> Response:
        terms = _terms(request)
        if body.stream:
            return await chat_stream(holder.engine, body, holder.model_id, **terms)
        engine = holder.engine
        ticket = await asyncio.to_thread(engine.chat, body.pairs(), body.options(), **terms)
        done = await while_connected(request, ticket)
        return _reply(chat_reply(done, ticket.timing, holder.model_id), ticket.timing)

    return app


async def while_connected(request: Request, ticket: Ticket[T]) -> T:
    """The ticket's outcome; when the client goes away first, the work is cancelled."""
    outcome = asyncio.wrap_future(ticket.future)
    gone = asyncio.ensure_future(_disconnected(request))
    either: set[asyncio.Future[Any]] = {outcome, gone}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not outcome.done():
            ticket.cancel()
            with contextlib.suppress(ModelError):
                await outcome
            raise Cancelled
        return await outcome
    except asyncio.CancelledError:
        ticket.cancel()
        raise
    finally:
        gone.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue


def _terms(request: Request) -> dict[str, Any]:
    """Whose turn (X-Lancelot-Caller, else the address) and until when (X-Lancelot-Deadline-Ms)."""
    caller = request.headers.get("x-lancelot-caller") or (request.client.host if request.client else "")
    limit = request.headers.get("x-lancelot-deadline-ms")
    try:
        deadline = time.monotonic() + float(limit) / 1000 if limit else None
    except ValueError:
        raise BadTask("X-Lancelot-Deadline-Ms is not a number.", param="x-lancelot-deadline-ms") from None
    return {"caller": caller, "deadline": deadline}


async def _task(holder: Holder, task: str, body: TextBody, request: Request) -> Response:
    ticket = submit(holder.engine, task, body, **_terms(request))
    done = await while_connected(request, ticket)
    return _reply(answer_of(done, ticket.timing), ticket.timing)


def _reply(body: dict[str, Any], timing: Timing) -> Response:
    """Server-Timing tells queue and engine time, so that what HTTP adds can be measured from outside."""
    parts = f"queue;dur={timing.queue_ms:.3f}, engine;dur={timing.engine_ms:.3f}"
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return Response(content, media_type="application/json", headers={"Server-Timing": parts})


def _metrics(holder: Holder) -> str:
    lines = [f'lancelot_local_model_up{{state="{holder.state}"}} {int(holder.state == "ready")}']
    if holder.state in ("ready", "draining", "stalled"):
        for name, batcher in holder.engine.batchers().items():
            lines += [
                f'lancelot_local_model_waiting{{context="{name}"}} {batcher.waiting}',
                f'lancelot_local_model_active{{context="{name}"}} {batcher.active}',
            ]
            for key, value in asdict(batcher.counters).items():
                lines.append(f'lancelot_local_model_{key}_total{{context="{name}"}} {value}')
    return "\n".join(lines) + "\n"


class BoundedBody:
    """Answers 413 as soon as a body grows past LONGEST_BODY, whatever its header says. Plain ASGI: it costs nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if any(name == b"origin" for name, _ in scope["headers"]):  # no page is a client of ours
            await _problem(FromAPage())(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > LONGEST_BODY:
                raise TooLarge
            return message

        await self._app(scope, counted, send)


class FromAPage(BadTask):
    code, status = "origin_not_allowed", 403
    title = "Web pages may not use the local model."
    hint = "Call it from a program; the console's pages reach it through the console."


class TooLarge(BadTask):
    code, status = "too_large", 413
    title = "The request body is too large."
    hint = "Send less text at once."


def _errors(app: FastAPI) -> None:
    @app.exception_handler(ModelError)
    async def model_error(_request: Request, problem: ModelError) -> JSONResponse:
        return _problem(problem)

    @app.exception_handler(RequestValidationError)
    async def bad_body(_request: Request, problem: RequestValidationError) -> JSONResponse:
        first = problem.errors()[0]
        where = ".".join(str(step) for step in first["loc"][1:] if not isinstance(step, int) or step < 1000)
        return _problem(BadTask(f"`{where or 'body'}`: {first['msg']}.", code="bad_input", param=where or None))

    @app.exception_handler(HTTPException)
    async def http_error(_request: Request, problem: HTTPException) -> JSONResponse:
        if isinstance(problem.__cause__, TooLarge):  # FastAPI wraps what happens while it reads a body
            return _problem(problem.__cause__)
        wrong = ModelError("There is nothing here.", code="not_found", hint="Check the address.")
        if problem.status_code != 404:
            wrong = ModelError(str(problem.detail), code="http_error", hint="Check the request.")
        return _problem(wrong, problem.status_code)

    @app.exception_handler(Exception)
    async def broken(_request: Request, problem: Exception) -> JSONResponse:
        log.error("internal error: %s", type(problem).__name__)
        return _problem(EngineFailed("Internal error.", code="internal"), 500)


def _problem(problem: ModelError, status: int | None = None) -> JSONResponse:
    headers = {"Retry-After": str(max(1, round(problem.retry_after)))} if problem.retry_after else None
    return JSONResponse(error_body(problem), status_code=status or problem.status, headers=headers)


def main(arguments: list[str] | None = None) -> None:
    """Run the service as a program."""
    parser = argparse.ArgumentParser(prog="python -m local_models.service", description="Serve the local model.")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--chat-weights", type=Path, help="base weights for chat, where --weights are merged ones")
    parser.add_argument("--model-id", default="local")
    parser.add_argument("--format", default="as-is", help="name of the weight format, shown in /health")
    parser.add_argument("--host", default=os.environ.get("LANCELOT_LOCAL_HOST", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="0: the CPUs this process may use")
    parser.add_argument("--announce", type=Path, help="file that gets our address once we listen")
    parser.add_argument("--log", type=Path, help="log file; standard error without")
    parser.add_argument("--watch-stdin", action="store_true", help="end when standard input is closed")
    given = parser.parse_args(arguments)
    try:
        refuse_exposure(given.host)
    except ModelError as problem:
        parser.exit(1, f"{problem}\n")
    log_to(given.log)
    settings = EngineSettings(threads=given.threads)
    holder = Holder(
        lambda: Engine(given.weights, given.adapter, given.chat_weights, settings=settings),
        model_id=given.model_id,
        weight_format=given.format,
    )
    serve(create_app(holder), host=given.host, port=given.port, announce_to=given.announce, watch=given.watch_stdin)


if __name__ == "__main__":
    main()
