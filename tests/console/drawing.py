"""Pages drawn without a browser, over real services on the test's own data folder."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streamlit.testing.v1 import AppTest

from lancelot.services import Services, build_services

PROJECT = Path(__file__).resolve().parents[2]


@contextmanager
def open_services() -> Iterator[Services]:
    """Real services on the test's data folder, on an event loop of their own as in the server."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    services = build_services()
    asyncio.run_coroutine_threadsafe(services.__aenter__(), loop).result(60)
    try:
        yield services
    finally:
        asyncio.run_coroutine_threadsafe(services.__aexit__(None, None, None), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def draw(page: str, **query: str) -> AppTest:
    """The page as the navigation shows it, with these parameters in its address."""
    app = AppTest.from_file(str(PROJECT / "console" / "main.py"), default_timeout=60)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    app.switch_page(page)
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def words(app: AppTest) -> str:
    """All the words a page shows."""
    blocks = [app.title, app.markdown, app.caption, app.error, app.success, app.info, app.warning, app.text, app.code]
    return "\n".join(str(element.value) for block in blocks for element in block)


def press(app: AppTest, label: str) -> AppTest:
    """Press the button with these words."""
    next(button for button in app.button if button.label == label).click()
    app.run()
    assert not app.exception, [found.value for found in app.exception]
    return app
