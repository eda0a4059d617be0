"""What is around fails: the provider, the local service, the name server, the port, another console, the memory."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx
import psutil

from tests.e2e.harness import PROJECT, free_port
from tests.faults.world import Section, Served, World, told_in_words

__all__ = ["neighbours", "providers"]

FINE = {200}
PROVIDER_MODES = {  # mode -> statuses a client may see
    "well": FINE,
    "slow": FINE,
    "flapping": FINE,
    "overloaded": {502, 503, 504},
    "hangs up": {502, 503, 504},
    "echoing error": {502, 503, 504},
    "error body with 200": {402, 429, 502, 503},
    "invalid JSON": {502, 503},
    "HTML with 200": {502, 503},
    "wrong content length": {502, 503, 504},
    "half a stream": {502, 503, 504},
    "hanging": {502, 503, 504},
}


def providers(world: World, number: int = 0) -> Section:
    section = Section(
        "providers",
        "A provider that is down, slow, flapping or lying",
        ("the provider", "plain", "streamed", "longest", "as it should"),
        notes="A stream that breaks after its first byte ends with an error event; the receipt says `error`. After "
        "each row the provider is well again, and the next answer has to arrive once its lane's rest is over.",
    )
    with world.served(world.copy("providers")) as server:
        for mode, allowed in PROVIDER_MODES.items():
            world.provider.mode = mode
            began = time.monotonic()
            plain, streamed = _ask(server, _chat()), _ask(server, _chat(stream=True))
            took = time.monotonic() - began
            world.provider.mode = "well"
            world.provider.let_go.set()
            world.provider.let_go.clear()
            good = plain.status_code in allowed and _stream_good(streamed, allowed) and took < 40
            good = good and "Traceback" not in plain.text and "sk-planted" not in plain.text + streamed.text
            section.add(good and _well_again(server), mode, _words(plain), _words(streamed), f"{took:.1f} s")
    return section


def _chat(**extra: object) -> dict[str, object]:
    return {"model": "lancelot-fast", "messages": [{"role": "user", "content": "Hello?"}]} | extra


def _ask(server: Served, body: dict[str, object]) -> httpx.Response:
    """A chat that may take six seconds."""
    headers = server.headers() | {"x-lancelot-deadline": "6"}
    return httpx.post(f"{server.url}/v1/chat/completions", headers=headers, json=body, timeout=60, trust_env=False)


def _words(answer: httpx.Response) -> str:
    status, text = answer.status_code, answer.text
    if status == 200 and '"error"' in text:
        return f"200, then an error event ({_code(text)})"
    return str(status) if status == 200 else f"{status} {_code(text)}"


def _code(text: str) -> str:
    _, _, rest = text.partition('"code":"')
    return rest.partition('"')[0]


def _stream_good(answer: httpx.Response, allowed: set[int]) -> bool:
    if answer.status_code == 200:
        text = answer.text
        return ("[DONE]" in text) if allowed is FINE else ("[DONE]" in text or '"error"' in text)
    return answer.status_code in allowed


def _well_again(server: Served, patience_s: float = 75) -> bool:
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        if server.chat().status_code == 200:
            return True
        threading.Event().wait(0.5)
    return False


def neighbours(world: World, number: int = 0) -> Section:
    section = Section(
        "neighbours",
        "Local service, names, port, second console, memory",
        ("what fails", "what happened", "as it should"),
    )
    for name, trial in (
        ("the local service hangs", hanging_local),
        ("the provider's name is not known (DNS)", unknown_name),
        ("the port is taken", taken_port),
        ("a second console on the data folder", second_console),
        ("out of memory: the local service is killed", out_of_memory),
        ("SIGTERM with requests under way", graceful),
        ("the clock jumps, forward, back, over a reboot", clock_jumps),
    ):
        good, words = trial(world)
        section.add(good, name, words)
    return section


def hanging_local(world: World) -> tuple[bool, str]:
    with world.served(world.copy("hanging")) as server:
        world.local.hanging = True
        try:
            began = time.monotonic()
            utility = server.call("POST", "/v1/utility/summarize", json={"text": "a text. " * 30})
            took = time.monotonic() - began
            alive = server.call("GET", "/system/health").status_code
            ready = _until(lambda: server.call("GET", "/system/ready").status_code == 503, 20)
        finally:
            world.local.hanging = False
            world.local.let_go.set()
            world.local.let_go.clear()
        again = _until(lambda: server.call("GET", "/system/ready").status_code == 200, 20)
    good = utility.status_code in (503, 504) and took < 40 and alive == 200 and ready and again
    return good, f"{utility.status_code} {_code(utility.text)} after {took:.0f} s; live, not ready, then ready again"


def _until(seen: object, patience_s: float) -> bool:
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        if seen():  # type: ignore[operator]
            return True
        threading.Event().wait(0.3)
    return False


def unknown_name(world: World) -> tuple[bool, str]:
    folder = world.home / "dns"
    words = ["onboard", "--provider", "selfhosted", "--base-url", "http://no-such-host.invalid/v1", "--comms", "local"]
    done = world.lancelot(folder, *words, "--yes")
    return told_in_words(done), done.stderr.strip().splitlines()[-1][:110]


def taken_port(world: World) -> tuple[bool, str]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = world.lancelot(world.copy("port"), "serve", "--port", str(taken.getsockname()[1]))
    last = done.stderr.strip().splitlines()[-1]
    return told_in_words(done) and last.startswith("port_taken"), last[:110]


def second_console(world: World) -> tuple[bool, str]:
    folder = world.copy("second")
    with world.served(folder) as server:
        done = world.lancelot(folder, "serve", "--port", str(free_port()))
        first = server.chat().status_code
    return told_in_words(done) and first == 200, done.stderr.strip()[:110]


def out_of_memory(world: World) -> tuple[bool, str]:
    """Where control groups may be made, a real limit; else the kernel's way without its cause, SIGKILL."""
    folder = world.copy("memory")
    env = {name: value for name, value in world.env().items() if name != "LANCELOT_LOCAL_LLM_URL"}
    server = Served(folder, env)
    server.start()
    try:
        pid = int(server.call("GET", "/system/status").json()["local_model"]["pid"])
        how = _limit_memory(pid)
        server.call("POST", "/v1/utility/summarize", json={"text": "a long text. " * 200})
        gone = _until(lambda: not psutil.pid_exists(pid), 30)
        if not gone:
            os.kill(pid, signal.SIGKILL)
        answered = server.chat().status_code
        back = _until(lambda: server.call("GET", "/system/ready").status_code == 200, 90)
        fresh = server.call("GET", "/system/status").json()["local_model"].get("pid")
    finally:
        server.end()
        with suppress(OSError):  # there only where control groups may be made
            group_of(pid).rmdir()
    return back and fresh != pid and answered in (200, 503), f"{how}; the console stayed up, the service came back"


def group_of(pid: int) -> Path:
    return Path("/sys/fs/cgroup") / f"lancelot-drill-{pid}"


def _limit_memory(pid: int) -> str:
    group = group_of(pid)
    try:
        group.mkdir()
        (group / "cgroup.procs").write_text(str(pid))
        (group / "memory.max").write_text(str(40 << 20))
        return "killed by its memory limit"
    except OSError:
        os.kill(pid, signal.SIGKILL)
        return "killed (no control group may be made here)"


def clock_jumps(world: World) -> tuple[bool, str]:
    """The machine's clock is not ours to set: the tests that hand in a clock of their own, run here."""
    checks = ["tests/onboarding/test_cooldown.py", "tests/test_approvals.py", "tests/test_admission.py"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", *checks],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode == 0, done.stdout.strip().splitlines()[-1]


def graceful(world: World) -> tuple[bool, str]:
    """A slow request finishes; one that would never end is cut with a clear end; all within 10 s."""
    server = Served(world.copy("graceful"), world.env())
    server.start()
    answers: list[int] = []

    def ask(mode: str) -> None:
        world.provider.mode = mode
        try:
            answers.append(server.chat().status_code)
        except Exception:  # noqa: BLE001 the boundary of a thread: a cut connection is an outcome
            answers.append(0)

    slow = threading.Thread(target=ask, args=("slow",))
    before = world.provider.calls
    slow.start()
    _until(lambda: world.provider.calls > before, 20)
    endless = threading.Thread(target=ask, args=("hanging",))
    endless.start()
    _until(lambda: world.provider.calls > before + 1, 20)
    took = server.end(signal.SIGTERM)
    world.provider.mode = "well"
    world.provider.let_go.set()
    slow.join(20)
    endless.join(20)
    world.provider.let_go.clear()
    code = server.process.returncode if server.process else None
    return took < 10 and 200 in answers, f"gone after {took:.1f} s (exit {code}); answers {sorted(answers)}"
