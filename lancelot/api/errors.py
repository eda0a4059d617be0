"""How failures look over HTTP: RFC 9457 problem details, and OpenAI's error object under /v1."""

from __future__ import annotations

import logging
import math
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from lancelot.errors import BadInput, LancelotError, NotFound
from local_models.errors import ModelError

__all__ = ["error_response", "install", "openai_error", "problem"]

log = logging.getLogger(__name__)

# OpenAI's `type` by HTTP status; anything else is a server error
OPENAI_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    409: "conflict_error",
    413: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}


def problem(error: LancelotError) -> dict[str, Any]:
    """The RFC 9457 body: type, title, status, and our code and hint."""
    return {"type": f"urn:lancelot:{error.code}", "status": error.status} | error.to_dict()


def openai_error(error: LancelotError) -> dict[str, Any]:
    """OpenAI's error object; `hint` and extra fields ride along."""
    shown = error.to_dict()
    return {
        "error": {
            "message": f"{error.title} {error.hint}",
            "type": OPENAI_TYPES.get(error.status, "server_error"),
            "param": error.extra.get("param"),
            "code": error.code,
            "title": error.title,
            "hint": error.hint,
        }
        | {name: value for name, value in shown.items() if name not in ("code", "title", "hint")}
    }


def error_response(path: str, error: LancelotError, headers: dict[str, str] | None = None) -> JSONResponse:
    """The response for an error on a path, with Retry-After where waiting helps."""
    sent = dict(headers or {})
    if error.retry_after is not None:
        sent["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if error.status == 401:
        sent["WWW-Authenticate"] = "Bearer"
    if path.startswith("/v1"):
        return JSONResponse(openai_error(error), status_code=error.status, headers=sent)
    return JSONResponse(problem(error), status_code=error.status, headers=sent, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Register the handlers: every failure leaves with code, title and hint, none with a stack trace."""

    async def known(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, LancelotError)
        return error_response(request.url.path, error)

    async def of_model(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ModelError)
        shown = LancelotError(error.title, hint=error.hint, code=error.code, retry_after=error.retry_after)
        shown.status = error.status
        return error_response(request.url.path, shown)

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"] if step != "body")
        wrong = BadInput(f"`{where or 'body'}`: {first['msg']}.", param=where or None)
        return error_response(request.url.path, wrong)

    async def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        if error.status_code == 404:
            return error_response(request.url.path, NotFound(f"There is nothing at {request.url.path}."))
        if error.status_code == 405:
            refused = BadInput(f"{request.method} is not possible at {request.url.path}.", code="method_not_allowed")
            refused.status = 405
            return error_response(request.url.path, refused, dict(error.headers or {}))
        wrong = LancelotError(str(error.detail), code="http_error")
        wrong.status = error.status_code
        return error_response(request.url.path, wrong, dict(error.headers or {}))

    async def unknown(request: Request, error: Exception) -> JSONResponse:
        log.error("unexpected %s at %s %s", type(error).__name__, request.method, request.url.path)
        return error_response(request.url.path, LancelotError())

    app.add_exception_handler(LancelotError, known)
    app.add_exception_handler(ModelError, of_model)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unknown)
