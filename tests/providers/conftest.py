"""A recording server for each provider test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.recording import RecordingServer


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    server = RecordingServer()
    yield server
    server.close()
