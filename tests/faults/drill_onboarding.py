"""The unbrickability score: kill onboarding everywhere, start it again, finish it; recovered / total must be all.

    python -m tests.faults.drill_onboarding [--short] [--json] [--write docs/reliability.md]

Each trial is a process of its own that ends by SIGKILL: before a file operation (the first, the second, … of a whole
onboarding, so between each pair of them, ring and counters included), on entering a state, in the middle of a step's
work, or when a number of bytes of the download has arrived. A second process then starts on what was left behind and
must reach READY by allowed actions alone. The kills come through the `Disk` seam and the fakes; product code knows
nothing of them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lancelot.brain.states import BrainState, BrainStatus
from lancelot.errors import LancelotError
from lancelot.files import Disk
from lancelot.onboarding.pinned import PinnedLocalModel
from lancelot.onboarding.seams import Preflight
from lancelot.onboarding.snapshot import OnboardingSnapshot
from lancelot.onboarding.states import State
from local_models.lockfile import HttpsSource, PinnedModel
from tests.loopback import Quiet, listening
from tests.onboarding.fakes import GOOD_KEY, World
from tests.onboarding.test_machine import finish

SIZE = 40_000_000
OFFSETS = 20
BEGIN, END = "<!-- onboarding drill: begin -->", "<!-- onboarding drill: end -->"


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class KillingDisk(Disk):
    """Counts file operations and ends the process before the one with the given number."""

    def __init__(self, kill_before: int | None = None) -> None:
        self.kill_before, self.count = kill_before, 0

    def _step(self) -> None:
        self.count += 1
        if self.count == self.kill_before:
            die()

    def write(self, path: Path, content: bytes, mode: int) -> int:
        self._step()
        if self.count + 1 == self.kill_before:  # half a file is the worst a kill inside a write leaves behind
            super().write(path, content[: len(content) // 2], mode)
            die()
        return super().write(path, content, mode)

    def fsync(self, descriptor: int) -> None:
        self._step()
        super().fsync(descriptor)

    def close(self, descriptor: int) -> None:
        self._step()
        super().close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        self._step()
        super().rename(source, target)

    def fsync_folder(self, folder: Path) -> None:
        self._step()
        super().fsync_folder(folder)

    def unlink(self, path: Path) -> None:
        self._step()
        super().unlink(path)


class NoBrain:
    """A supervisor whose service is always there."""

    base_url = "http://127.0.0.1:9"

    def status(self) -> BrainStatus:
        return BrainStatus(BrainState.READY, 0.0)

    def start(self) -> None:
        return

    restart = start

    def wait_ready(self, timeout_s: float) -> bool:
        return True


class DownloadedModel(PinnedLocalModel):
    """The real installation of a made-up pin; only runtime and smoke test are taken for granted."""

    def preflight(self) -> list[Preflight]:
        return []

    def smoke(self) -> str:
        return "taken for granted"


@dataclass
class WeightsServer:
    """Serves made-up weights with Range on loopback; stops after `cut` bytes and calls `arrived`."""

    content: bytes = field(default_factory=lambda: random.Random(7).randbytes(SIZE))
    cut: int | None = None
    arrived: Callable[[], None] = lambda: None
    served: int = 0
    url: str = ""

    def pin(self) -> PinnedModel:
        return PinnedModel(
            id="drill",
            title="Drill",
            file="drill.gguf",
            sha256=hashlib.sha256(self.content).hexdigest(),
            licence="Apache-2.0",
            licence_url="https://www.apache.org/licenses/LICENSE-2.0",
            publisher="Nobody",
            repository="nobody/drill",
            revision="0" * 39 + "1",
            bytes=len(self.content),
            sources=(HttpsSource(kind="https", url=self.url),),
            min_memory_mb=1,
            context=128,
            chat_template="chatml",
            recommended="nothing",
        )


@contextmanager
def serving() -> Iterator[WeightsServer]:
    """The server on a port of its own, as long as the block lasts."""
    state = WeightsServer()

    class Handler(Quiet):
        def do_GET(self) -> None:
            found = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
            start = int(found[1]) if found else 0
            body = state.content[start:]
            self.send_response(206 if found else 200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", '"drill"')
            self.send_header("Accept-Ranges", "bytes")
            if found:
                self.send_header("Content-Range", f"bytes {start}-{len(state.content) - 1}/{len(state.content)}")
            self.end_headers()
            limit = len(body) if state.cut is None else max(0, state.cut - start)
            try:
                self.wfile.write(body[:limit])
                self.wfile.flush()
            except OSError:
                return
            state.served += min(limit, len(body))
            if state.cut is not None and limit < len(body):
                state.arrived()

    with listening(Handler) as url:
        state.url = f"{url}/drill.gguf"
        yield state


def in_child(work: Callable[[], None]) -> int:
    """Run the work in a forked process; its wait status (9: killed, 0: done)."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        except BaseException as problem:  # noqa: BLE001 the boundary of a process: say it and fail
            print(f"    {type(problem).__name__}: {problem}", file=sys.stderr, flush=True)
            os._exit(1)
    return os.waitpid(pid, 0)[1]


def whole_story(world: World) -> None:
    """A wrong key, the right one, five wrong codes, the wait, a new code, READY: every state is entered."""
    flow = world.flow
    flow.submit("WELCOME", {})
    flow.submit("FLAGSHIP_SELECTION", {"provider": "openai"})
    flow.submit("CREDENTIALS_CAPTURE", {"key": "sk-wrong-" + "x" * 30})
    flow.command("BACK")
    flow.submit("CREDENTIALS_CAPTURE", {"key": GOOD_KEY})
    flow.submit("LOCAL_UTILITY_SETUP", {"consent": True})
    flow.submit("COMMS_SELECTION", {"channel": "local"})
    flow.submit("COMMS_CONFIGURE", {})
    wrong = "111111" if world.last_code() != "111111" else "222222"
    for _ in range(5):
        try:
            flow.submit("COMMS_VERIFY", {"code": wrong})
        except LancelotError:
            continue
    world.clock.pass_time(61)
    flow.status()
    flow.command("RESEND CODE")
    flow.submit("COMMS_VERIFY", {"code": world.last_code()})
    assert flow.is_ready


def recover(data_dir: Path, model: Callable[[World], Any] | None = None) -> None:
    """A fresh process on what is left: it must open, believe no more than the facts, and get to READY."""
    world = World(data_dir, model=model)
    left = data_dir / "onboarding" / "guards.json"
    spent = json.loads(left.read_text())["epoch"] if left.exists() else 0
    world.clock.pass_time(3600)
    world.boot()
    assert world.flow.snapshot.guards.epoch >= spent
    codes = [notice.code for notice in world.flow.snapshot.notices]
    assert "snapshot_lost" not in codes, "the set-up silently began anew"
    finish(world)
    on_disk = OnboardingSnapshot.model_validate_json((data_dir / "onboarding" / "onboarding.json").read_bytes())
    assert on_disk.state is State.READY
    assert on_disk == world.flow.snapshot
    assert not list((data_dir / "onboarding").glob(".*.tmp"))


@dataclass
class Score:
    """recovered / total by kind, and how long a restart took (seconds, the longest)."""

    trials: dict[str, list[bool]] = field(default_factory=dict)
    slowest_s: float = 0.0
    refetched: int = 0

    def note(self, kind: str, good: bool, took_s: float) -> None:
        self.trials.setdefault(kind, []).append(good)
        self.slowest_s = max(self.slowest_s, took_s)

    @property
    def total(self) -> int:
        return sum(len(results) for results in self.trials.values())

    @property
    def recovered(self) -> int:
        return sum(sum(results) for results in self.trials.values())


def trial(score: Score, kind: str, victim: Callable[[Path], None], model: Callable[[World], Any] | None = None) -> None:
    """One kill and one recovery in a folder of their own."""
    home = Path(tempfile.mkdtemp(prefix="drill-"))
    try:
        died = in_child(lambda: victim(home / "data"))
        began = time.perf_counter()
        good = os.WIFSIGNALED(died) and os.WTERMSIG(died) == signal.SIGKILL
        if not good:
            print(f"    {kind}: the victim was not killed (status {died})", file=sys.stderr)
        good = good and in_child(lambda: recover(home / "data", model)) == 0
        score.note(kind, good, time.perf_counter() - began)
    finally:
        shutil.rmtree(home)


def operations() -> int:
    """How many file operations the whole story makes."""
    home = Path(tempfile.mkdtemp(prefix="drill-"))
    try:
        disk = KillingDisk()
        whole_story(World(home / "data", disk=disk))
        return disk.count
    finally:
        shutil.rmtree(home)


def kills_between_operations(score: Score, every: int) -> None:
    for number in range(1, operations() + 1, every):
        trial(score, "between file operations", lambda home, n=number: whole_story(World(home, disk=KillingDisk(n))))  # type: ignore[misc]


def kills_at_states(score: Score) -> None:
    for state in State:
        for when in ("entering", "restarting"):

            def victim(home: Path, state: State = state, when: str = when) -> None:
                world = World(home)
                publish = world.flow.events.publish

                def watched(kind: str, **data: Any) -> None:
                    publish(kind, **data)
                    if kind == "state" and data["state"] == state:
                        if when == "restarting":
                            World(home).flow.status()
                        die()

                if state is State.WELCOME:
                    world.flow.status()
                    die()
                world.flow.events.publish = watched  # type: ignore[method-assign]
                whole_story(world)

            trial(score, "at a state", victim)


def kills_in_work(score: Score) -> None:
    def in_call(place: str) -> Callable[[Path], None]:
        def victim(home: Path) -> None:
            world = World(home)
            owner: Any = {"list_models": world.door}.get(place, world.model)
            if place == "terminal":
                world.flow.deps.terminal._write = lambda line: die()
            else:
                setattr(owner, place, lambda *args, **named: die())
            whole_story(world)

        return victim

    for place in ("list_models", "preflight", "install", "start", "smoke", "terminal"):
        trial(score, "in the middle of a step's work", in_call(place))


def kills_in_download(score: Score, offsets: int) -> None:
    chance = random.SystemRandom()
    with serving() as server:
        pin = server.pin()

        def model(world: World) -> PinnedLocalModel:
            return DownloadedModel(world.data_dir / "models", NoBrain(), pin=pin)

        def victim(home: Path) -> None:
            world = World(home, model=model)
            world.go_to("LOCAL_UTILITY_SETUP", provider="openai")
            world.flow.submit("LOCAL_UTILITY_SETUP", {"consent": True})

        for _ in range(offsets):
            cut = chance.randrange(1, SIZE)
            home = Path(tempfile.mkdtemp(prefix="drill-"))
            reached = threading.Event()
            server.cut, server.arrived = cut, reached.set
            pid = os.fork()
            if pid == 0:
                try:
                    victim(home / "data")
                finally:
                    os._exit(1)
            reached.wait(30)
            parts = home / "data" / "models" / "drill"
            until = time.monotonic() + 10
            while time.monotonic() < until and sum(p.stat().st_size for p in parts.glob(".*.part")) < cut:
                threading.Event().wait(0.005)
            os.kill(pid, signal.SIGKILL)
            died = os.waitpid(pid, 0)[1]
            server.cut, server.served = None, 0
            began = time.perf_counter()
            good = os.WIFSIGNALED(died) and in_child(lambda home=home: recover(home / "data", model)) == 0  # type: ignore[misc]
            score.note("at a byte of the download", good, time.perf_counter() - began)
            score.refetched = max(score.refetched, server.served - (SIZE - cut))
            shutil.rmtree(home)


def run(short: bool) -> Score:
    score = Score()
    kills_between_operations(score, every=9 if short else 1)
    kills_at_states(score)
    kills_in_work(score)
    kills_in_download(score, 3 if short else OFFSETS)
    return score


def section(score: Score) -> str:
    """The score as a section of docs/reliability.md."""
    rows = "\n".join(f"| {kind} | {sum(results)} / {len(results)} |" for kind, results in score.trials.items())
    return (
        f"{BEGIN}\n| killed (SIGKILL) | recovered to READY |\n|---|---|\n{rows}\n"
        f"| **all** | **{score.recovered} / {score.total}** |\n\n"
        f"The download ({SIZE:,} bytes) killed at a random byte went on from the last block synced to disk: at "
        f"most {max(0, score.refetched):,} bytes were fetched twice.\n{END}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--short", action="store_true", help="a sample of the kills, for every change")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", type=Path, help="replace the drill's section in this file")
    options = parser.parse_args()
    score = run(options.short)
    if options.json:
        print(json.dumps({"recovered": score.recovered, "total": score.total, "refetched": score.refetched}))
    else:
        for kind, results in score.trials.items():
            print(f"{kind:32} {sum(results):4} / {len(results)}")
        print(f"{'unbrickability score':32} {score.recovered:4} / {score.total}")
    if options.write:
        text = options.write.read_text()
        options.write.write_text(re.sub(f"{BEGIN}.*?{END}", lambda _: section(score), text, flags=re.DOTALL))
    return 0 if score.recovered == score.total and score.total >= (30 if options.short else 60) else 1


if __name__ == "__main__":
    sys.exit(main())
