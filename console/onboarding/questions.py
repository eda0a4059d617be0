"""One question at a time: what each state asks, in plain words, and what it means for the machine and for money."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from console.onboarding.acting import command, hand_in
from lancelot.onboarding.flow import OnboardingFlow

__all__ = ["QUESTIONS"]

Status = dict[str, Any]


def welcome(flow: OnboardingFlow, status: Status) -> None:
    model = status["model"] or {"bytes": 0, "min_memory_mb": 0}
    st.markdown(
        "A few questions, and this machine runs a whole LLM system. You can leave at any moment and come back: "
        "nothing is lost, and nothing here can break it."
    )
    machine, money = st.columns(2)
    machine.markdown(
        f"**What happens to this machine**\n\n- a download of {model['bytes'] / 1e6:.0f} MB, once, after you agree\n"
        f"- a local model in its own process, about {model['min_memory_mb']} MB of memory,"
        " up to a quarter more in the format that is fastest here\n"
        "- everything stays in the data folder; the console listens on this machine only"
    )
    money.markdown(
        "**What happens to your money**\n\n- the set-up itself costs nothing; checking a key is free of charge\n"
        "- later you pay your provider for what is sent to it, and every cent has a receipt\n"
        "- with our own local service nothing is ever paid"
    )
    if st.button("Begin", type="primary", key="begin"):
        hand_in(flow, "WELCOME", {})


def flagship(flow: OnboardingFlow, status: Status) -> None:
    sheets = {sheet["name"]: sheet for sheet in status["providers"] or []}
    notes = {
        name: f"Fast: {sheet['fast']} · Deep: {sheet['deep']}. Paid per token, by your own account."
        for name, sheet in sheets.items()
    }
    notes["selfhosted"] = "Any OpenAI-compatible server, or our own local service: offline and free of charge."
    names = list(sheets)
    before = (status["flagship"] or {}).get("provider", "selfhosted")
    st.markdown("Hard questions go to **one** flagship provider. Which model answers what is decided for you.")
    chosen = st.radio(
        "Flagship provider",
        names,
        index=names.index(before) if before in names else 0,
        format_func=lambda name: sheets[name]["title"],
        captions=[notes[name] for name in names],
        key="flagship",
    )
    url = ""
    if chosen == "selfhosted":
        url = st.text_input(
            "Address of your server (leave empty for our own local service)",
            value=(status["flagship"] or {}).get("base_url") or "",
            placeholder="http://127.0.0.1:11434/v1",
            key="base_url",
        )
    if st.button("Use this provider", type="primary", key="take_flagship"):
        hand_in(flow, "FLAGSHIP_SELECTION", {"provider": chosen, "base_url": url.strip() or None})


def credentials(flow: OnboardingFlow, status: Status) -> None:
    chosen = status["flagship"] or {}
    if chosen.get("own_service"):
        st.markdown("Our own local service needs no key. There is nothing to call yet; the final checks will call it.")
        if st.button("Go on without a key", type="primary", key="no_key"):
            hand_in(flow, "CREDENTIALS_CAPTURE", {})
        return
    sheet = next((row for row in status["providers"] or [] if row["name"] == chosen.get("provider")), {})
    st.markdown(
        f"The key for **{chosen.get('title')}**. It is kept in a file only you can read, shown nowhere, and tried out "
        "by one call that costs nothing: listing the models it may use."
    )
    with st.form("key", clear_on_submit=True):
        typed = st.text_input("Key", type="password", autocomplete="off")
        if st.form_submit_button("Store and check the key", type="primary"):
            hand_in(flow, "CREDENTIALS_CAPTURE", {"key": typed} if typed.strip() else {})
    if sheet.get("in_environment") and st.button(f"Use {sheet['key_env']} from the environment", key="from_env"):
        hand_in(flow, "CREDENTIALS_CAPTURE", {"env_name": sheet["key_env"]})
    if sheet.get("stored") and st.button("Use the key stored earlier", key="stored_key"):
        hand_in(flow, "CREDENTIALS_CAPTURE", {"use_stored": True})
    if not sheet.get("needs_key", True) and st.button("This server needs no key", key="no_key"):
        hand_in(flow, "CREDENTIALS_CAPTURE", {})


def verify(flow: OnboardingFlow, status: Status) -> None:
    st.markdown("The provider is asked which models the key may use. That is free of charge.")
    if status["working"]:
        return
    again, back = st.columns(2)
    if again.button("Try again", type="primary", key="verify_again", width="stretch"):
        hand_in(flow, "CREDENTIALS_VERIFY", {})
    if back.button("Enter another key", key="other_key", width="stretch"):
        command(flow, "BACK")


def local_model(flow: OnboardingFlow, status: Status) -> None:
    model = status["model"]
    st.markdown(
        "A small model on this machine finds what is private in your texts **before** anything leaves, sorts requests "
        "and does small work for nothing. Lancelot does not run without it."
    )
    if not model:
        st.warning("The lock file of the local model cannot be read. REPAIR says more.")
        return
    shown = tier_choice(model["tiers"], model["id"])
    st.markdown(
        f"| Model | {shown['id']} |\n|---|---|\n| Publisher | {shown['publisher']} |\n"
        f"| Size | {shown['bytes'] / 1e6:.1f} MB |\n| Licence | [{shown['licence']}]({shown['licence_url']}) |\n"
        + (f"| Source | {', then '.join(model['sources'])} |\n" if shown["id"] == model["id"] else "")
        + f"| Memory | about {shown['min_memory_mb']} MB |\n| SHA-256 | `{shown['sha256'][:16]}…` |"
    )
    not_yet(model["tiers"])
    under_way = shown["id"] == model["id"]
    if status["working"] and under_way:
        return
    values = {"consent": True, "model_id": shown["id"]}
    if model["consent"] and model["consent"]["model_id"] == shown["id"]:
        if st.button("Go on with the installation", type="primary", key="install_again"):
            hand_in(flow, "LOCAL_UTILITY_SETUP", values)
        return
    agreed = st.checkbox(
        f"I agree to install {shown['id']} under {shown['licence']}; {shown['bytes'] / 1e6:.0f} MB are downloaded.",
        key=f"consent_{shown['id']}",
    )
    words = f"Install {shown['id']} instead" if status["working"] else "Install"
    if st.button(words, type="primary", key="install"):
        hand_in(flow, "LOCAL_UTILITY_SETUP", values | {"consent": bool(agreed)})


def tier_choice(rows: list[dict[str, Any]], chosen: str) -> dict[str, Any]:
    """The tier a person picks among those that can be installed; the one of the lock file is picked already."""
    able = {row["id"]: row for row in rows if row["state"] != "candidate"}
    picked = st.radio(
        "Which model",
        list(able),
        index=list(able).index(chosen) if chosen in able else 0,
        format_func=lambda name: able[name]["title"],
        captions=[
            f"{row['bytes'] / 1e6:.0f} MB · about {row['min_memory_mb']} MB of memory · {row['licence']} · "
            f"{row['recommended']} · {row['standing']}"
            for row in able.values()
        ],
        key="tier",
    )
    return able[picked or chosen]


def not_yet(rows: list[dict[str, Any]]) -> None:
    """The tiers that cannot be installed, each with what it is for and what is missing."""
    candidates = [row for row in rows if row["state"] == "candidate"]
    if not candidates:
        return
    with st.expander(f"{len(candidates)} more, not installable yet"):
        for row in candidates:
            st.markdown(
                f"**{row['title']}** · {row['min_memory_mb']} MB of memory · {row['licence']} · {row['recommended']}"
                f"  \nNot pinned: {', '.join(row['missing'])}"
            )
        st.caption("A model is installed only when its size, a fixed revision, its checksum and a source are pinned.")


def channel(flow: OnboardingFlow, status: Status) -> None:
    st.markdown("How does Lancelot reach you when a person has to decide? A code proves that the way works.")
    words = {
        "local": "This machine's terminal",
        "remote": "Mail, chat or a webhook",
    }
    before = (status["comms"] or {}).get("kind", "local")
    chosen = st.radio(
        "Channel",
        list(words),
        index=list(words).index(before),
        format_func=words.__getitem__,
        captions=[
            "Works offline. The code appears where Lancelot runs, and by `lancelot code`.",
            "E-mail, Slack, Telegram, Discord, ntfy or any webhook, by its address.",
        ],
        key="channel",
    )
    if st.button("Use this channel", type="primary", key="take_channel"):
        hand_in(flow, "COMMS_SELECTION", {"channel": chosen})


def address(flow: OnboardingFlow, status: Status) -> None:
    chosen = status["comms"] or {}
    if chosen.get("kind") == "local":
        st.markdown("A code of six digits will appear in the terminal that runs Lancelot.")
        if not status["working"] and st.button("Show the code there", type="primary", key="send_code"):
            hand_in(flow, "COMMS_CONFIGURE", {})
        return
    st.markdown(
        "The address may hold a password or token: it is kept with the keys and shown nowhere. Examples: "
        "`mailto://user:password@mail.example.com?to=you@example.com`, `ntfy://topic`, `tgram://token/chat`, "
        "`https://example.com/hook`."
    )
    with st.form("address", clear_on_submit=True):
        typed = st.text_input("Address", type="password", autocomplete="off")
        if st.form_submit_button("Send the code", type="primary"):
            hand_in(flow, "COMMS_CONFIGURE", {"url": typed} if typed.strip() else {})
    if chosen.get("stored") and st.button("Use the stored address", key="stored_address"):
        hand_in(flow, "COMMS_CONFIGURE", {"use_stored": True})


def code(flow: OnboardingFlow, status: Status) -> None:
    chosen, facts = status["comms"] or {}, status["code"]
    if chosen.get("verified"):
        st.markdown("This channel is verified already.")
        if st.button("Continue", type="primary", key="verified_already"):
            hand_in(flow, "COMMS_VERIFY", {})
        return
    where = (
        "the terminal that runs Lancelot (or run `lancelot code`)" if chosen.get("kind") == "local" else chosen["label"]
    )
    st.markdown(f"Six digits were sent to **{where}**.")
    with st.form("code", clear_on_submit=True):
        typed = st.text_input("Code", max_chars=12, autocomplete="one-time-code")
        if st.form_submit_button("Check the code", type="primary"):
            hand_in(flow, "COMMS_VERIFY", {"code": typed})
    minutes = facts["expires_in_s"] // 60
    if facts["awaited"]:
        st.caption(f"Good for about {minutes + 1} more minutes; {facts['attempts_left']} attempts left.")
    else:
        st.caption("No code is out, or it has expired: have a new one sent.")
    if st.button("Send a new code", key="resend"):
        command(flow, "RESEND CODE")


def checks(flow: OnboardingFlow, status: Status) -> None:
    st.markdown("Everything is tried once more, for real, before Lancelot calls itself ready.")
    if status["working"]:
        return
    outcomes(flow, status)
    again, fix = st.columns(2)
    if again.button("Run the checks again", type="primary", key="check_again", width="stretch"):
        hand_in(flow, "FINAL_CHECKS", {})
    if fix.button("Repair", key="fix_checks", width="stretch"):
        command(flow, "REPAIR")


def outcomes(flow: OnboardingFlow, status: Status) -> None:
    """Each check with its result, its time, and what would fix it."""
    for outcome in status["checks"]:
        mark = ":material/check_circle:" if outcome["ok"] else ":material/error:"
        words = "passed" if outcome["ok"] else "failed"
        took = f"{outcome['took_ms']:.0f} ms" if outcome["took_ms"] < 1000 else f"{outcome['took_ms'] / 1000:.1f} s"
        st.markdown(f"{mark} **{outcome['title']}** {words} · {took}  \n{outcome['detail']}")
        if outcome["fix"]:
            st.caption(outcome["fix"])
            if "REPAIR" in outcome["fix"] and st.button(
                f"Fix {outcome['title'].lower()}", key=f"fix_{outcome['name']}"
            ):
                command(flow, "REPAIR")


def ready(flow: OnboardingFlow, status: Status) -> None:
    chosen, model, comms = status["flagship"] or {}, status["model"] or {}, status["comms"] or {}
    st.markdown(
        f"- Flagship: **{chosen.get('title')}**\n- Local model: **{model.get('id')}**, verified\n"
        f"- Channel: **{comms.get('label')}**, verified\n\nNext: open **Ask** and send your first message."
    )
    outcomes(flow, status)
    if st.button("Run the checks again", key="check_again"):
        command(flow, "RESTART STEP")


def cooldown(flow: OnboardingFlow, status: Status) -> None:
    st.markdown(
        "Too many wrong codes. A short wait keeps guessers away; it ends by itself and never takes longer than 15 "
        "minutes. Nothing you have done is lost."
    )


QUESTIONS: dict[str, Callable[[OnboardingFlow, Status], None]] = {
    "WELCOME": welcome,
    "FLAGSHIP_SELECTION": flagship,
    "CREDENTIALS_CAPTURE": credentials,
    "CREDENTIALS_VERIFY": verify,
    "LOCAL_UTILITY_SETUP": local_model,
    "COMMS_SELECTION": channel,
    "COMMS_CONFIGURE": address,
    "COMMS_VERIFY": code,
    "FINAL_CHECKS": checks,
    "READY": ready,
    "COOLDOWN": cooldown,
}
