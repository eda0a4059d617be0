"""The login before every page, when LANCELOT_LOGIN says oidc: who is nobody's operator sees nothing else."""

from __future__ import annotations

import streamlit as st

from lancelot import settings
from lancelot.exposure import exposure

__all__ = ["require_login"]


def require_login() -> None:
    """Go on when an operator is logged in; otherwise draw the login page and end the run here."""
    who = exposure(settings.host())
    if who.login != "oidc":
        return
    email = str(st.user.get("email") or "").lower()
    if not st.user.get("is_logged_in"):
        st.title("Lancelot")
        st.write("This console asks who you are before it shows anything.")
        st.button("Log in", on_click=st.login, type="primary", icon=":material/login:")
        st.stop()
    if email not in who.operators or st.user.get("email_verified") is False:
        st.title("Not an operator")
        st.write(f"You are logged in as {email or 'somebody without an e-mail address'}, who may not use this console.")
        st.caption("Whoever runs it adds operators to LANCELOT_OPERATORS.")
        st.button("Log out", on_click=st.logout, icon=":material/logout:")
        st.stop()
    st.sidebar.button("Log out", on_click=st.logout, icon=":material/logout:", help=f"Logged in as {email}")
