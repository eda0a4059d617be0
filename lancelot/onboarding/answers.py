"""What a person submits, read strictly: which state it is for, and the step's form behind its values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from lancelot.errors import BadInput
from lancelot.onboarding.states import State
from lancelot.onboarding.steps.base import Form

__all__ = ["parsed", "state_named"]


def state_named(name: str) -> State:
    """The state a submit is for.

    Raises:
        BadInput: there is no such state, or it takes no answers; code `unknown_state`.
    """
    try:
        state = State(str(name).strip().upper())
    except ValueError:
        state = State.COOLDOWN
    if state is State.COOLDOWN:
        raise BadInput(
            "There is no such state to answer.", hint="GET /onboarding names the present one.", code="unknown_state"
        )
    return state


def parsed(form: type[Form], values: Mapping[str, Any]) -> Form:
    """The submitted values as the step's form.

    Raises:
        BadInput: a value is missing, wrong or unknown; `param` names it, and nothing that was typed is repeated.
    """
    try:
        return form.model_validate(dict(values))
    except ValidationError as wrong:
        first = wrong.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "values"
        hint = "The step's schema in GET /onboarding says what it takes."
        raise BadInput(f"`{where}`: {first['msg']}.", hint=hint, param=where) from None
