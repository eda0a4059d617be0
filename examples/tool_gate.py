"""An agent's tool gate: nothing with consequences runs before a person, or a rule a person made, has allowed it.

    python examples/tool_gate.py --to billing@example.com --amount 40

Needs a running console (`make run`) and its token (`lancelot token`) in LANCELOT_TOKEN; an application key works too.
The gate asks, waits, and runs exactly what was allowed: the operator may have changed the arguments. Run it again with
the same --key after a restart, and it goes on where it stood; it never runs a second time.
Exit codes: 0 done, 1 denied, 3 nobody has decided yet.
"""

from __future__ import annotations

import argparse
import os
import sys
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import httpx

URL = os.environ.get("LANCELOT_URL", "http://127.0.0.1:8501")


class NotAllowed(Exception):
    """The person said no, or nobody has decided yet. `state` is the approval's."""

    def __init__(self, state: str, note: str) -> None:
        self.state = state
        super().__init__(f"{state}: {note}" if note else state)


class ToolGate:
    """Stands between an agent and its tools.

    Args:
        tools: the functions by name; each takes its arguments by keyword.
        http: a client with the gateway's base URL and bearer token.
    """

    def __init__(self, tools: Mapping[str, Callable[..., Any]], http: httpx.Client) -> None:
        self._tools = tools
        self._http = http

    def run(self, name: str, arguments: dict[str, Any], *, why: str, risk: str, key: str, wait_s: float = 30) -> Any:
        """What the tool returned, once a person has allowed it.

        Args:
            key: names this one call across repeats and restarts.

        Raises:
            NotAllowed: denied, expired, undecided after wait_s, or done before.
        """
        ask = {"what": why, "who": "example agent", "risk": risk, "wait_s": wait_s}
        ask["tools"] = [{"name": name, "arguments": arguments}]
        approval = self._post("/approvals", json=ask, headers={"Idempotency-Key": key}, timeout=wait_s + 10)
        if approval["state"] != "allowed":
            raise NotAllowed(approval["state"], approval["note"])
        started = self._post(f"/approvals/{approval['id']}/start")  # exactly one caller gets past this line
        call = started["calls"][0]
        try:
            return self._tools[call["name"]](**call["arguments"])
        finally:
            self._post(f"/approvals/{approval['id']}/finish")

    def _post(self, path: str, **kwargs: Any) -> Any:
        answer = self._http.post(path, **kwargs)
        answer.raise_for_status()
        return answer.json()


def send_money(to: str, amount: float) -> str:
    """A tool with consequences; here it only says what it would do."""
    return f"sent {amount:g} to {to}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", required=True)
    parser.add_argument("--amount", type=float, required=True)
    parser.add_argument("--key", default=str(uuid.uuid4()), help="names this call; the same key never pays twice")
    parser.add_argument("--wait", type=float, default=30, help="seconds to wait for a decision")
    given = parser.parse_args()
    token = os.environ.get("LANCELOT_TOKEN")
    if not token:
        print("Set LANCELOT_TOKEN; `lancelot token` prints it.", file=sys.stderr)
        return 2
    with httpx.Client(base_url=URL, headers={"Authorization": f"Bearer {token}"}, timeout=30) as http:
        gate = ToolGate({"send_money": send_money}, http)
        arguments = {"to": given.to, "amount": given.amount}
        why = f"Pay {given.amount:g} to {given.to}"
        try:
            print(gate.run("send_money", arguments, why=why, risk="high", key=given.key, wait_s=given.wait))
        except NotAllowed as refused:
            print(f"{refused} (key {given.key})", file=sys.stderr)
            return 3 if refused.state == "pending" else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
