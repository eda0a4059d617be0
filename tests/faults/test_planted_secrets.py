"""Secrets planted everywhere a person could put one; afterwards every byte written, shown or logged is searched."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from lancelot.store.ledger import ReceiptStore
from tests.cli.shell import Shell
from tests.e2e.harness import NO_NETWORK, PROJECT, free_port
from tests.faults.fake_local import fake_local
from tests.faults.upstream import KEY, onboarded, upstream

pytestmark = [pytest.mark.real_model, pytest.mark.timeout(400)]

PLANTED = {
    "provider key": KEY,
    "key in a prompt": "ghp_" + "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY1zA2",
    "password": "Tr0ub4dor-Kangaroo-88",
    "person": "Wilhelmina Quackenbush",
    "mail": "wilhelmina.q@quackenbush.example",
    "wrong token": "lt_wrong-guess-8fd2c1",
    "token in an address": "lt_in-the-address-77aa",
    "token in a query": "lt_in-the-query-5e5e",
    "field name": "secret_field_9c1d",
    "broken body": "half-a-secret-3b7e",
}
PROMPT = (
    f"Why does {PLANTED['person']} ({PLANTED['mail']}) get an error? Her password is {PLANTED['password']} and the "
    f"token is {PLANTED['key in a prompt']}."
)


class Written:
    """Everything a run left behind, as named texts."""

    def __init__(self) -> None:
        self.texts: dict[str, bytes] = {}

    def add(self, name: str, content: bytes | str) -> None:
        self.texts[name] = content.encode() if isinstance(content, str) else content

    def add_folder(self, folder: Path) -> None:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "models" not in path.parts:
                self.add(str(path.relative_to(folder)), path.read_bytes())

    def places(self, secret: str) -> set[str]:
        """Where a secret can be seen: as it is, JSON-escaped, UTF-16, percent-encoded or base64."""
        import base64
        from urllib.parse import quote

        forms = {secret.encode(), secret.encode("utf-16-le"), quote(secret, safe="").encode()}
        forms |= {json.dumps(secret)[1:-1].encode(), base64.b64encode(secret.encode())[:-4]}
        return {name for name, text in self.texts.items() if any(form in text for form in forms)}


def serve(folder: Path, port: int, **env: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "lancelot.cli", "serve", "--port", str(port)],
        cwd=PROJECT,
        env=os.environ
        | NO_NETWORK
        | {"LANCELOT_DATA_DIR": str(folder), "LANCELOT_UPKEEP": "off", "LANCELOT_LOG_LEVEL": "debug"}
        | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def wait_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        assert process.poll() is None
        try:
            if httpx.get(f"{url}/system/ready", timeout=5, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        try:
            process.wait(0.2)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("not ready in time")


def calls(url: str, token: str) -> Iterator[tuple[str, httpx.Response]]:
    """Whatever a careless client does. The answers are searched too, where they are refusals."""
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        own = {"Authorization": f"Bearer {token}"}
        chat = {"model": "lancelot-fast", "messages": [{"role": "user", "content": PROMPT}]}
        yield "answered", client.post("/v1/chat/completions", headers=own, json=chat)
        yield "answered", client.post("/v1/chat/completions", headers=own, json=chat | {"stream": True})
        yield "answered", client.post("/v1/chat/completions", headers=own, json=chat | {"model": "lancelot"})
        yield "answered", client.post("/v1/utility/summarize", headers=own, json={"text": PROMPT})
        yield "answered", client.post("/router/explain", headers=own, json={"messages": chat["messages"]})
        yield "refused", client.get("/v1/models", headers={"Authorization": f"Bearer {PLANTED['wrong token']}"})
        yield "refused", client.get(f"/v1/{PLANTED['token in an address']}", headers=own)
        yield "refused", client.get(f"/system/ready?token={PLANTED['token in a query']}")
        yield "refused", client.post("/approvals", headers=own, json={"what": 5, PLANTED["field name"]: 1})
        broken = b'{"messages": "' + PLANTED["broken body"].encode()
        yield "refused", client.post("/v1/chat/completions", headers=own, content=broken)


def test_no_planted_secret_is_written_shown_or_logged(tmp_path: Path) -> None:
    folder, written = tmp_path / "data", Written()
    with upstream() as provider, fake_local() as local:
        written.add("the set-up's output", onboarded(folder, provider, local.url))
        port = free_port()
        url, token = f"http://127.0.0.1:{port}", (folder / "token").read_text().strip()
        process = serve(folder, port, LANCELOT_LOCAL_LLM_URL=local.url, PLANTED_KEY=KEY)
        try:
            wait_ready(url, process)
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            for one in family:
                written.add(f"arguments of {one.pid}", "\0".join(one.cmdline()))
            for mode in ("well", "echoing error", "invalid JSON", "hangs up"):
                provider.mode = mode
                for number, (kind, answer) in enumerate(calls(url, token)):
                    if kind == "refused" or answer.status_code >= 400:
                        written.add(f"answer {number} with the provider {mode}", answer.content)
                    written.add(f"headers of {number} with the provider {mode}", str(answer.headers))
            shell = Shell(folder)
            for words in (["status"], ["receipts", "list"], ["usage"], ["doctor"], ["keys", "list"]):
                done = shell.run(*words, "--json")
                written.add(" ".join(words), done.stdout + done.stderr)
            shell.json("backup", str(tmp_path / "all.tar.gz"))
            written.add("metrics", httpx.get(f"{url}/metrics", trust_env=False).content)
        finally:
            process.terminate()
            said, _ = process.communicate(timeout=30)
        written.add("the server's terminal", said)
    assert provider.bodies, "something left the machine"
    written.add("what left the machine", b"\n".join(provider.bodies))
    written.add_folder(folder)
    with tarfile.open(tmp_path / "all.tar.gz") as archive:
        for entry in archive:
            file = archive.extractfile(entry)
            assert file is not None
            written.add(f"backup: {entry.name}", file.read())
    store = ReceiptStore(folder)
    for (table,) in store.database.query("SELECT table_name FROM duckdb_tables()"):
        written.add(f"table {table}", repr(store.database.query(f'SELECT * FROM "{table}"')))
    store.close()

    # the search can see: what is there on purpose is found, in files, in tables, in the compressed backup
    assert provider.presented == {f"Bearer {KEY}"}, "the provider was called with the key"
    assert written.places(KEY) == set()
    assert written.places(token) == {"token"}
    assert "table receipts" in written.places("lancelot-fast") | written.places("mock")
    written.add("control", gzip.decompress(gzip.compress(PROMPT.encode())))
    for name in ("key in a prompt", "password", "person", "mail"):
        assert written.places(PLANTED[name]) == {"control"}, name
    for name in ("wrong token", "token in an address", "token in a query", "broken body"):
        assert written.places(PLANTED[name]) <= SHOWN_BACK.get(name, set()), name


# an answer may name the address it was asked for: the caller sent it itself, and nothing keeps it
SHOWN_BACK = {"token in an address": {f"answer 6 with the provider {mode}" for mode in (
    "well", "echoing error", "invalid JSON", "hangs up")}}  # fmt: skip
