"""/approvals: what waits for a person, and the decision."""

from __future__ import annotations

from fastapi import APIRouter

__all__ = ["router"]

router = APIRouter(prefix="/approvals", tags=["approvals"])
