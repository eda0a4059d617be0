"""Approvals over HTTP: asking, deciding, waiting, and who may see what."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.api.conftest import Gateway

ASK = {
    "what": "Send the invoice to billing@example.com",
    "tools": [{"name": "send_mail", "arguments": {"to": "billing@example.com", "body": "Hello"}}],
    "risk": "high",
    "reasons": ["outward action"],
}


def ask(gateway: Gateway, *, key: str | None = None, token: str = "", **extra: Any) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return gateway.call("POST", "/approvals", json=ASK | extra, headers=headers, token=token)


def decide(gateway: Gateway, approval: str, decision: str, **extra: Any) -> Any:
    return gateway.call("POST", f"/approvals/{approval}/decision", json={"decision": decision} | extra)


def test_what_waits_is_kept_and_shown_redacted(gateway: Gateway) -> None:
    made = ask(gateway).json()
    assert made["state"] == "pending"
    listed = gateway.call("GET", "/approvals").text
    assert made["id"] in listed
    assert "billing@example.com" not in listed
    assert "EMAIL_1" in listed
    kept = (gateway.services.data_dir / "approvals.json").read_text()
    assert "billing@example.com" not in kept
    assert made["id"] in kept


def test_a_tool_without_a_name_is_refused_in_words(gateway: Gateway) -> None:
    for name in ("", "x" * 201, None):
        refused = ask(gateway, tools=[{"name": name, "arguments": {}}])
        assert refused.status_code == 400, refused.text
        assert all(refused.json()[field] for field in ("code", "title", "hint"))
    assert gateway.call("GET", "/approvals").json()["approvals"] == []


@pytest.mark.parametrize("value", ["9" * 25, '"\\ud800"', "[" * 300 + "]" * 300])
def test_arguments_that_cannot_be_kept_are_refused_in_words(gateway: Gateway, value: str) -> None:
    asked = f'{{"what": "Pay", "tools": [{{"name": "pay", "arguments": {{"sum": {value}}}}}]}}'
    headers = {"Content-Type": "application/json"}
    refused = gateway.call("POST", "/approvals", content=asked, headers=headers)
    assert refused.status_code == 400, refused.text
    assert all(refused.json()[field] for field in ("code", "title", "hint"))
    made = ask(gateway).json()
    edited = f'{{"decision": "once", "edited": [{{"name": "send_mail", "arguments": {{"to": {value}}}}}]}}'
    path = f"/approvals/{made['id']}/decision"
    assert gateway.call("POST", path, content=edited, headers=headers).status_code == 400


def test_once_lets_exactly_one_caller_go_on(gateway: Gateway) -> None:
    made = ask(gateway).json()
    assert decide(gateway, made["id"], "once", note="fine").json()["state"] == "allowed"
    assert decide(gateway, made["id"], "deny").status_code == 409  # the first decision counts
    started = gateway.call("POST", f"/approvals/{made['id']}/start")
    assert started.json()["calls"][0]["name"] == "send_mail"
    assert gateway.call("POST", f"/approvals/{made['id']}/start").status_code == 409


def test_waiting_ends_with_the_decision(gateway: Gateway) -> None:
    made = ask(gateway).json()
    found: list[Any] = []
    waiting = threading.Thread(
        target=lambda: found.append(gateway.call("GET", f"/approvals/{made['id']}", params={"wait_s": 20}).json())
    )
    waiting.start()
    decide(gateway, made["id"], "deny", note="no")
    waiting.join(20)
    assert found[0]["state"] == "denied"
    assert found[0]["note"] == "no"


def test_the_same_idempotency_key_is_the_same_approval(gateway: Gateway) -> None:
    first, again = ask(gateway, key="k1").json(), ask(gateway, key="k1").json()
    assert first["id"] == again["id"]
    assert ask(gateway, key="k1", what="Something else entirely").status_code == 409


def test_always_makes_a_rule_that_can_be_revoked(gateway: Gateway) -> None:
    made = ask(gateway).json()
    decide(gateway, made["id"], "always", rule={"tools": ["send_mail"]}, rule_uses=2)
    rule = gateway.call("GET", "/approvals/rules").json()["rules"][0]
    assert "send_mail" in rule["words"]
    assert ask(gateway).json()["state"] == "allowed"
    gateway.call("POST", f"/approvals/rules/{rule['id']}/revoke")
    assert ask(gateway).json()["state"] == "pending"


def test_a_key_sees_its_own_and_decides_nothing(gateway: Gateway) -> None:
    _, secret = gateway.services.keys.add("agent")
    _, other = gateway.services.keys.add("other")
    mine = ask(gateway, token=secret).json()
    assert [one["id"] for one in gateway.call("GET", "/approvals", token=secret).json()["approvals"]] == [mine["id"]]
    assert gateway.call("GET", "/approvals", token=other).json()["approvals"] == []
    assert gateway.call("GET", f"/approvals/{mine['id']}", token=other).status_code == 403
    refused = gateway.call("POST", f"/approvals/{mine['id']}/decision", json={"decision": "once"}, token=secret)
    assert refused.status_code == 403
    assert mine["ask"]["who"] == "agent"


def test_every_decision_is_a_receipt(gateway: Gateway) -> None:
    made = ask(gateway).json()
    decide(gateway, made["id"], "once")
    kinds = gateway.call("GET", "/router/receipts", params={"kind": "approval"}).json()["receipts"]
    assert any(receipt["data"].get("approval_id") == made["id"] or made["id"] in str(receipt) for receipt in kinds)


def test_a_rule_is_narrowed_never_widened(gateway: Gateway) -> None:
    made = ask(gateway).json()
    decide(gateway, made["id"], "always", rule={"tools": ["send_*"]}, rule_uses=5)
    rule = gateway.call("GET", "/approvals/rules").json()["rules"][0]
    path = f"/approvals/rules/{rule['id']}/narrow"
    assert gateway.call("POST", path, json={"max_uses": 6}).status_code == 400
    assert gateway.call("POST", path, json={"scope": {"tools": ["*"]}}).json()["code"] == "not_narrower"
    narrowed = gateway.call("POST", path, json={"scope": {"tools": ["send_mail"]}, "max_uses": 1}).json()
    assert (narrowed["max_uses"], narrowed["alive"]) == (1, True)
    assert ask(gateway).json()["state"] == "allowed"
    assert ask(gateway).json()["state"] == "pending"  # at its use cap


def test_a_look_back_makes_no_rule(gateway: Gateway) -> None:
    ask(gateway)
    gateway.chat("Hello")
    found = gateway.call("POST", "/approvals/look-back", json={"tools": ["send_*"]}).json()
    assert (found["looked_at"], found["matched"]) == (2, 1)
    assert found["newest"][0]["tools"] == ["send_mail"]
    assert "send_*" in found["words"]
    assert gateway.call("POST", "/approvals/look-back", json={}).status_code == 400
    assert gateway.call("GET", "/approvals/rules").json()["rules"] == []


def test_what_is_done_is_told_and_stays_done(gateway: Gateway) -> None:
    made = ask(gateway).json()
    assert gateway.call("POST", f"/approvals/{made['id']}/finish").status_code == 409
    decide(gateway, made["id"], "once", by="Ann", note="for billing@example.com")
    started = gateway.call("POST", f"/approvals/{made['id']}/start").json()
    assert started["calls"][0]["arguments"]["to"] == "billing@example.com"
    assert started["decided_by"] == "Ann"
    assert "billing@example.com" not in started["note"]
    assert gateway.call("POST", f"/approvals/{made['id']}/finish").json()["state"] == "done"
    assert gateway.call("POST", f"/approvals/{made['id']}/finish").status_code == 409


def test_the_list_goes_on_by_cursor(gateway: Gateway) -> None:
    made = [ask(gateway).json()["id"] for _ in range(5)]
    seen: list[str] = []
    cursor = None
    while True:
        found = gateway.call("GET", "/approvals", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        seen += [one["id"] for one in found["approvals"]]
        cursor = found["next_cursor"]
        if cursor is None:
            break
    assert seen == sorted(made, reverse=True)


def test_reasons_and_names_of_people_are_hidden_too(gateway: Gateway) -> None:
    made = ask(gateway, who="agent of billing@example.com", reasons=["billing@example.com said so"]).json()
    assert "billing@example.com" not in str(made)
    assert made["ask"]["reasons"] == ["<EMAIL_1> said so"]
