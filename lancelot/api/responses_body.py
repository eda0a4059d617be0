"""OpenAI's Responses form of a request said as the one chat request; what cannot be carried is refused by name."""

from __future__ import annotations

from typing import Any, Final

from lancelot.chat import ChatRequest, parse_chat
from lancelot.errors import BadInput, UnsupportedParameter

__all__ = ["chat_of"]

# Responses name -> chat name; the values mean the same
SAME: Final = {
    "model": "model",
    "max_output_tokens": "max_completion_tokens",
    "metadata": "metadata",
    "parallel_tool_calls": "parallel_tool_calls",
    "prompt_cache_key": "prompt_cache_key",
    "safety_identifier": "safety_identifier",
    "service_tier": "service_tier",
    "stream": "stream",
    "temperature": "temperature",
    "top_p": "top_p",
    "user": "user",
}
# accepted only with a value that changes nothing; nothing is kept here between two requests
HARMLESS: Final[dict[str, tuple[Any, ...]]] = {
    "background": (None, False),
    "conversation": (None,),
    "include": (None, []),
    "max_tool_calls": (None,),
    "previous_response_id": (None,),
    "prompt": (None,),
    "store": (None, False),
    "stream_options": (None, {}, {"include_obfuscation": False}),
    "top_logprobs": (None, 0),
    "truncation": (None, "disabled"),
}
TRANSLATED: Final = frozenset({"input", "instructions", "reasoning", "text", "tools", "tool_choice"})
# what an answer's items carry when a client sends them back; the parsed ones are the client's own reading of the rest
ECHOED: Final = frozenset({"id", "status", "type", "parsed_arguments"})
TEXT_PARTS: Final = ("input_text", "output_text", "text")


def chat_of(body: Any) -> ChatRequest:
    """The chat request of a decoded Responses body.

    Raises:
        BadInput, UnsupportedParameter: `param` names the field by its Responses name.
    """
    if not isinstance(body, dict):
        raise BadInput("The body must be a JSON object.")
    for name, value in body.items():
        if name in HARMLESS:
            if value not in HARMLESS[name]:
                raise _unsupported(name, "with this value")
        elif name not in SAME and name not in TRANSLATED:
            raise _unsupported(name)
    chat: dict[str, Any] = {SAME[name]: value for name, value in body.items() if name in SAME}
    chat["messages"] = _messages(body)
    _reasoning(body.get("reasoning"), chat)
    _text(body.get("text"), chat)
    if body.get("tools"):
        chat["tools"] = [_tool(tool, place) for place, tool in enumerate(_list(body["tools"], "tools"))]
    if body.get("tool_choice") is not None:
        chat["tool_choice"] = _choice(body["tool_choice"])
    try:
        return parse_chat(chat)
    except BadInput as problem:
        given = {chat: name for name, chat in SAME.items()}
        param = problem.extra.get("param")
        if param in given and given[param] != param:
            raise BadInput(problem.title.replace(param, given[param]), param=given[param]) from None
        raise


def _messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    instructions = body.get("instructions")
    if instructions is not None:
        if not isinstance(instructions, str):
            raise BadInput("`instructions` must be a text.", param="instructions")
        messages.append({"role": "developer", "content": instructions})
    given = body.get("input")
    if isinstance(given, str):
        return [*messages, {"role": "user", "content": given}]
    for place, item in enumerate(_list(given, "input")):
        where = f"input.{place}"
        if not isinstance(item, dict):
            raise BadInput(f"`{where}` must be an object.", param=where)
        _item(item, where, messages)
    return messages


def _item(item: dict[str, Any], where: str, messages: list[dict[str, Any]]) -> None:
    kind = item.get("type", "message")
    if kind == "message":
        _only(item, ECHOED | {"role", "content"}, where)
        messages.append({"role": item.get("role"), "content": _content(item.get("content"), f"{where}.content")})
    elif kind == "function_call":
        _only(item, ECHOED | {"call_id", "name", "arguments"}, where)
        function = {"name": item.get("name"), "arguments": item.get("arguments") or "{}"}
        call = {"id": item.get("call_id"), "type": "function", "function": function}
        if messages and messages[-1]["role"] == "assistant":  # a message and its calls are one turn
            messages[-1].setdefault("tool_calls", []).append(call)
        else:
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
    elif kind == "function_call_output":
        _only(item, ECHOED | {"call_id", "output"}, where)
        content = _content(item.get("output"), f"{where}.output")
        messages.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": content})
    else:
        raise _unsupported(f"{where}.type", f"with the value `{kind}`")


def _content(content: Any, where: str) -> Any:
    if isinstance(content, str):
        return content
    return [_part(part, f"{where}.{place}") for place, part in enumerate(_list(content, where))]


def _part(part: Any, where: str) -> dict[str, Any]:
    if not isinstance(part, dict):
        raise BadInput(f"`{where}` must be an object.", param=where)
    kind = part.get("type")
    if kind in TEXT_PARTS:
        _only(part, {"type", "text", "annotations", "logprobs", "parsed"}, where)
        if not isinstance(part.get("text"), str):
            raise BadInput(f"`{where}.text` must be a text.", param=f"{where}.text")
        return {"type": "text", "text": part["text"]}
    if kind == "refusal":
        return {"type": "refusal", "refusal": str(part.get("refusal") or "")}
    if kind == "input_image" and isinstance(part.get("image_url"), str):
        return {"type": "image_url", "image_url": {"url": part["image_url"], "detail": part.get("detail") or "auto"}}
    if kind == "input_file" and isinstance(part.get("file_data"), str):
        return {"type": "file", "file": {name: part[name] for name in ("file_data", "filename") if name in part}}
    raise _unsupported(f"{where}.type", f"with the value `{kind}`, or without its data in the request")


def _reasoning(given: Any, chat: dict[str, Any]) -> None:
    if given is None:
        return
    _only(given, {"effort"}, "reasoning")
    if given.get("effort") is not None:
        chat["reasoning_effort"] = given["effort"]


def _text(given: Any, chat: dict[str, Any]) -> None:
    if given is None:
        return
    _only(given, {"format", "verbosity"}, "text")
    if given.get("verbosity") is not None:
        chat["verbosity"] = given["verbosity"]
    wanted = given.get("format")
    if wanted is None:
        return
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind in ("text", "json_object"):
        chat["response_format"] = {"type": kind}
    elif kind == "json_schema":
        _only(wanted, {"type", "name", "schema", "strict", "description"}, "text.format")
        schema = {name: value for name, value in wanted.items() if name != "type" and value is not None}
        chat["response_format"] = {"type": kind, "json_schema": schema}
    else:
        raise _unsupported("text.format.type", f"with the value `{kind}`")


def _tool(tool: Any, place: int) -> dict[str, Any]:
    where = f"tools.{place}"
    if not isinstance(tool, dict) or tool.get("type") != "function":
        raise _unsupported(f"{where}.type", "unless it is `function`")
    _only(tool, {"type", "name", "description", "parameters", "strict"}, where)
    return {"type": "function", "function": {k: v for k, v in tool.items() if k != "type" and v is not None}}


def _choice(choice: Any) -> Any:
    if isinstance(choice, str):
        return choice
    if isinstance(choice, dict) and choice.get("type") == "function":
        return {"type": "function", "function": {"name": choice.get("name")}}
    raise _unsupported("tool_choice", "unless it is a word or names a function")


def _only(given: Any, known: frozenset[str] | set[str], where: str) -> None:
    if not isinstance(given, dict):
        raise BadInput(f"`{where}` must be an object.", param=where)
    for name, value in given.items():
        if name not in known and value is not None:
            raise _unsupported(f"{where}.{name}")


def _list(given: Any, where: str) -> list[Any]:
    if not isinstance(given, list):
        raise BadInput(f"`{where}` must be a text or a list.", param=where)
    return given


def _unsupported(where: str, how: str = "") -> UnsupportedParameter:
    return UnsupportedParameter(f"`{where}` is not supported{' ' if how else ''}{how}.", param=where)
