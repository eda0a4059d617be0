"""Error answers as the providers document them: (status, body, headers, our class, our code)."""

from __future__ import annotations

from typing import Any

__all__ = ["ERRORS", "SECRET"]


def openai_error(message: str, kind: str, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def anthropic_error(message: str, kind: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"type": kind, "message": message}
    return {"type": "error", "error": error | ({"details": details} if details else {}), "request_id": "req_1"}


def gemini_error(code: int, message: str, status: str, *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


SECRET = "sk-secret-in-the-providers-words"
ERRORS: dict[str, list[tuple[int, Any, dict[str, str], str, str]]] = {
    "openai": [
        (
            401,
            openai_error(f"Incorrect API key provided: {SECRET}.", "invalid_request_error", "invalid_api_key"),
            {},
            "ProviderAuth",
            "provider_auth",
        ),
        (
            403,
            openai_error(
                "Country, region, or territory not supported",
                "request_forbidden",
                "unsupported_country_region_territory",
            ),
            {},
            "ProviderAuth",
            "provider_forbidden",
        ),
        (
            404,
            openai_error("The model `x` does not exist", "invalid_request_error", "model_not_found"),
            {},
            "ProviderError",
            "provider_not_found",
        ),
        (
            400,
            openai_error(
                "Your input exceeds the context window of this model.",
                "invalid_request_error",
                "context_length_exceeded",
            ),
            {},
            "ContextTooLong",
            "context_too_long",
        ),
        (
            400,
            openai_error("Invalid prompt: flagged", "invalid_request_error", "invalid_prompt"),
            {},
            "ContentFiltered",
            "content_filtered",
        ),
        (
            400,
            openai_error("Unsupported parameter", "invalid_request_error", "unsupported_parameter"),
            {},
            "ProviderError",
            "provider_refused",
        ),
        (
            429,
            openai_error("Rate limit reached", "tokens", "rate_limit_exceeded"),
            {"retry-after": "7"},
            "ProviderRateLimited",
            "provider_rate_limited",
        ),
        (
            429,
            openai_error("You exceeded your current quota", "insufficient_quota", "insufficient_quota"),
            {},
            "ProviderRateLimited",
            "provider_quota",
        ),
        (500, openai_error("The server had an error", "server_error"), {}, "ProviderError", "provider_error"),
        (
            503,
            openai_error("Overloaded", "service_unavailable_error", "server_is_overloaded"),
            {},
            "ProviderOverloaded",
            "provider_overloaded",
        ),
        (504, openai_error("Gateway timeout", "server_error"), {}, "ProviderTimeout", "provider_timeout"),
    ],
    "anthropic": [
        (401, anthropic_error("invalid x-api-key", "authentication_error"), {}, "ProviderAuth", "provider_auth"),
        (402, anthropic_error("billing", "billing_error"), {}, "ProviderRateLimited", "provider_quota"),
        (
            400,
            anthropic_error("Your credit balance is too low", "invalid_request_error"),
            {},
            "ProviderRateLimited",
            "provider_quota",
        ),
        (403, anthropic_error("not allowed", "permission_error"), {}, "ProviderAuth", "provider_forbidden"),
        (404, anthropic_error("model: x", "not_found_error"), {}, "ProviderError", "provider_not_found"),
        (
            400,
            anthropic_error("prompt is too long: 300000 tokens > 200000 maximum", "invalid_request_error"),
            {},
            "ContextTooLong",
            "context_too_long",
        ),
        (
            413,
            anthropic_error("Request exceeds the maximum size", "request_too_large"),
            {},
            "ContextTooLong",
            "context_too_long",
        ),
        (
            429,
            anthropic_error("rate", "rate_limit_error"),
            {"retry-after": "7"},
            "ProviderRateLimited",
            "provider_rate_limited",
        ),
        (
            429,
            anthropic_error("cap", "rate_limit_error", {"error_code": "enforced_spend_limit_reached"}),
            {},
            "ProviderRateLimited",
            "provider_quota",
        ),
        (500, anthropic_error("internal", "api_error"), {}, "ProviderError", "provider_error"),
        (504, anthropic_error("slow", "timeout_error"), {}, "ProviderTimeout", "provider_timeout"),
        (529, anthropic_error("Overloaded", "overloaded_error"), {}, "ProviderOverloaded", "provider_overloaded"),
    ],
    "gemini": [
        (
            400,
            gemini_error(
                400,
                f"API key not valid: {SECRET}",
                "INVALID_ARGUMENT",
                {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"},
            ),
            {},
            "ProviderAuth",
            "provider_auth",
        ),
        (401, gemini_error(401, "no credentials", "UNAUTHENTICATED"), {}, "ProviderAuth", "provider_auth"),
        (403, gemini_error(403, "denied", "PERMISSION_DENIED"), {}, "ProviderAuth", "provider_forbidden"),
        (404, gemini_error(404, "models/x is not found", "NOT_FOUND"), {}, "ProviderError", "provider_not_found"),
        (
            400,
            gemini_error(
                400,
                "The input token count (2000000) exceeds the maximum number of tokens allowed (1048576).",
                "INVALID_ARGUMENT",
            ),
            {},
            "ContextTooLong",
            "context_too_long",
        ),
        (400, gemini_error(400, "Unknown name", "INVALID_ARGUMENT"), {}, "ProviderError", "provider_refused"),
        (
            429,
            gemini_error(
                429,
                "quota",
                "RESOURCE_EXHAUSTED",
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"},
            ),
            {},
            "ProviderRateLimited",
            "provider_rate_limited",
        ),
        (500, gemini_error(500, "internal", "INTERNAL"), {}, "ProviderError", "provider_error"),
        (503, gemini_error(503, "overloaded", "UNAVAILABLE"), {}, "ProviderOverloaded", "provider_overloaded"),
        (504, gemini_error(504, "deadline", "DEADLINE_EXCEEDED"), {}, "ProviderTimeout", "provider_timeout"),
    ],
}
