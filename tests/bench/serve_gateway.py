"""The gateway without pages, for measurements: serve_gateway FOLDER UPSTREAM; prints its URL and token."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import uvicorn
from fastapi import FastAPI

from lancelot.api.app import install
from lancelot.config import load_config
from lancelot.providers.profiles import build_provider, profile
from lancelot.settings import config_dir
from tests.api.conftest import FakeServices


async def serve(folder: Path, upstream: str) -> None:
    """Until killed. Everything is the product's but the local model, which is not asked."""
    found = profile(load_config(config_dir()), "selfhosted").at(upstream)
    provider = build_provider(found, None, base_url=upstream)
    services = FakeServices(folder, cast(Any, provider))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.services = services
        yield

    app = FastAPI(lifespan=lifespan)
    install(app)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}/v1 {services.keys.token()}", flush=True)
    await running


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), sys.argv[2]))
