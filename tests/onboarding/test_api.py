"""The set-up over HTTP, on the real services of an empty data folder."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn

from lancelot import settings
from lancelot.api.app import create_app
from lancelot.keys import Keys
from lancelot.services import Services


@pytest.fixture
def client(data_folder: Path) -> Iterator[httpx.Client]:
    """A client with the operator's token, of a real server on loopback."""
    app = create_app(lambda: Services(data_folder, settings.config_dir()))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    pause = threading.Event()
    while not server.started:
        assert thread.is_alive()
        pause.wait(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    token = (data_folder / "token").read_text().strip()
    with httpx.Client(
        base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {token}"}, timeout=60
    ) as opened:
        yield opened
    server.should_exit = True
    thread.join(30)


def submit(client: httpx.Client, state: str, values: object) -> httpx.Response:
    return client.post("/onboarding/submit", json={"state": state, "values": values})


def test_without_a_token_only_up_and_the_state(client: httpx.Client) -> None:
    bare = httpx.get(client.base_url.join("/system/status"))
    assert bare.json() == {"up": True, "onboarding": {"state": "WELCOME"}}
    for method, path in (("GET", ""), ("POST", "/submit"), ("POST", "/command"), ("POST", "/code"), ("GET", "/events")):
        refused = httpx.request(method, client.base_url.join(f"/onboarding{path}"))
        assert refused.status_code == 401, path
        assert refused.json()["code"] == "token_missing"


GUARDED = [
    *[("GET", "/recovery"), *[("POST", f"/recovery/{name}") for name in ("look", "apply", "undo", "restore")]],
    *[("GET", "/system/flagship"), *[("POST", f"/system/flagship/{name}") for name in ("propose", "save", "undo")]],
    ("POST", "/router/what-if"),
]


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_repair_and_flagship_are_the_operators(client: httpx.Client, method: str, path: str, data_folder: Path) -> None:
    assert httpx.request(method, client.base_url.join(path)).json()["code"] == "token_missing"
    _, secret = Keys(data_folder).add("shop")
    refused = httpx.request(method, client.base_url.join(path), headers={"Authorization": f"Bearer {secret}"})
    assert refused.status_code == 403


def test_repair_one_step_at_a_time_over_http(client: httpx.Client, data_folder: Path) -> None:
    (data_folder / "keys.json").write_bytes(b"[1, 2]")
    looked = client.post("/recovery/look").json()
    assert looked["ok"] is False
    (bad,) = [one for one in looked["found"] if not one["ok"]]
    assert bad["plan"]["plan"][0] == "Keep keys.json as it is, under another name."
    done = client.post("/recovery/apply", json={"check": bad["name"]}).json()
    assert done["done"]["fixed"] is True
    assert client.post("/recovery/apply", json={"check": "nothing"}).status_code == 404
    (past,) = client.get("/recovery").json()["history"]
    assert client.post("/recovery/undo", json={"id": past["id"]}).status_code == 200
    assert (data_folder / "keys.json").read_bytes() == b"[1, 2]"
    assert client.post("/recovery/undo", json={"id": past["id"]}).status_code == 404
    assert client.post("/recovery/restore", json={"revision": 7}).json()["code"] == "no_such_copy"


def test_a_flagship_is_not_changed_before_the_set_up_is_done(client: httpx.Client) -> None:
    assert client.get("/system/flagship").json()["flagship"] is None
    refused = client.post("/system/flagship/propose", json={"provider": "openai", "key": "sk-" + "q" * 40})
    assert (refused.status_code, refused.json()["code"]) == (409, "setup_not_finished")
    assert "qqqq" not in refused.text
    wrong = client.post("/system/flagship/propose", json={"provider": "nobody", "key": "sk-" + "q" * 40})
    assert wrong.status_code == 400
    assert "qqqq" not in wrong.text
    assert client.post("/system/flagship/save", json={"id": "none"}).status_code == 404
    assert client.post("/system/flagship/undo").json()["code"] == "nothing_to_undo"


def test_the_questions_and_their_schemas(client: httpx.Client) -> None:
    found = client.get("/onboarding").json()
    assert found["state"] == "WELCOME"
    assert found["schema"]["type"] == "object"
    assert submit(client, "WELCOME", {}).json()["schema"]["properties"]["provider"]["enum"] == [
        *("openai", "anthropic", "gemini", "selfhosted")
    ]
    assert submit(client, "FLAGSHIP_SELECTION", {"provider": "selfhosted"}).json()["state"] == "CREDENTIALS_CAPTURE"
    found = submit(client, "CREDENTIALS_CAPTURE", {}).json()
    assert found["state"] in ("CREDENTIALS_VERIFY", "LOCAL_UTILITY_SETUP")


def test_errors_are_safe_and_say_what_to_do(client: httpx.Client) -> None:
    submit(client, "WELCOME", {})
    secret = "sk-do-not-repeat-" + "x" * 20
    submit(client, "FLAGSHIP_SELECTION", {"provider": "openai"})
    cases = [
        (submit(client, "WELCOME", {"x": 1}), 409, "state_passed"),
        (submit(client, "READY", {}), 409, "state_not_reached"),
        (submit(client, "NOWHERE", {}), 400, "unknown_state"),
        (submit(client, "CREDENTIALS_CAPTURE", {"key": f"{secret} two words"}), 400, "key_malformed"),
        (submit(client, "CREDENTIALS_CAPTURE", {"keys": secret}), 400, "bad_input"),
        (client.post("/onboarding/submit", json={"state": "WELCOME", "values": secret}), 400, "bad_input"),
        (client.post("/onboarding/command", json={"command": secret}), 400, "unknown_command"),
        (client.post("/onboarding/submit", content=b"{"), 400, "bad_input"),
        (client.post("/onboarding/code"), 409, "no_code_awaited"),
    ]
    for answer, status, code in cases:
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == code
        assert answer.json()["hint"]
        assert secret not in answer.text
        assert "Traceback" not in answer.text


def test_the_same_submit_twice(client: httpx.Client) -> None:
    assert submit(client, "WELCOME", {}).status_code == 200
    again = submit(client, "WELCOME", {})
    assert again.status_code == 200
    assert "already" in again.json()["note"]


def test_commands_and_reset_that_asks_twice(client: httpx.Client) -> None:
    submit(client, "WELCOME", {})
    for command in ("STATUS", "REPAIR", "RESTART STEP", "RESEND CODE", "BACK"):
        answer = client.post("/onboarding/command", json={"command": command})
        assert answer.status_code == 200, answer.text
        assert answer.json()["text"]
    submit(client, "WELCOME", {})
    asked = client.post("/onboarding/command", json={"command": "RESET ONBOARDING"}).json()
    assert asked["needs_confirm"]
    assert asked["status"]["state"] == "FLAGSHIP_SELECTION"
    done = client.post("/onboarding/command", json={"command": "RESET ONBOARDING", "confirm": True}).json()
    assert done["status"]["state"] == "WELCOME"


def test_events_tell_every_move(client: httpx.Client) -> None:
    with client.stream("GET", "/onboarding/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = (line for line in stream.iter_lines() if line and not line.startswith("retry"))
        assert next(lines) == "event: status"
        assert json.loads(next(lines).removeprefix("data: "))["state"] == "WELCOME"
        submit(client, "WELCOME", {})
        told = next(line for line in lines if line.startswith("data: ") and "before" in line)
    moved = json.loads(told.removeprefix("data: "))
    assert (moved["before"], moved["state"]) == ("WELCOME", "FLAGSHIP_SELECTION")


def test_the_routes_are_described(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for path in ("/onboarding", "/onboarding/submit", "/onboarding/command", "/onboarding/events", "/onboarding/code"):
        assert path in paths
        assert all(operation["summary"] for operation in paths[path].values())


def test_the_gateway_says_what_is_missing_before_ready(client: httpx.Client) -> None:
    body = {"model": "lancelot", "messages": [{"role": "user", "content": "hello"}]}
    refused = client.post("/v1/chat/completions", json=body)
    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "not_ready"
    assert "WELCOME" in refused.text
