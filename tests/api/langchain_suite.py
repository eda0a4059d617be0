"""LangChain's own standard tests for chat models, run through its OpenAI client against the gateway.

In an environment of its own (`pip install langchain-openai langchain-tests pytest-asyncio`), from the project's folder:

    python -m tests.api.serve_gateway FOLDER OTHER/bin/python -m pytest -c /dev/null --rootdir=. --noconftest \\
        -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session tests/api/langchain_suite.py
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests

URL, TOKEN = os.environ.get("LANCELOT_GATEWAY_URL", ""), os.environ.get("LANCELOT_GATEWAY_TOKEN", "")


@pytest.mark.skipif(not URL, reason="no gateway is served")
class TestGateway(ChatModelIntegrationTests):
    """What LangChain asks of every chat model."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "lancelot-fast", "base_url": URL, "api_key": TOKEN, "max_retries": 0, "stream_usage": True}

    @property
    def supports_image_inputs(self) -> bool:
        return False

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return "lancelot-deep"
