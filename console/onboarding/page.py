"""Set-up: one calm page from the first question to READY, and the way back from everywhere."""

from __future__ import annotations

from console.onboarding.screen import render
from console.session import get_services
from console.widgets import page_guard

with page_guard():
    services = get_services()
    render(services.onboarding, services.mending)
