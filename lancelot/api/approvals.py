"""/approvals: what waits for a person, and the decision."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from lancelot.api.security import OperatorDep, ServicesDep

__all__ = ["router"]

router = APIRouter(prefix="/approvals", tags=["approvals"])
