"""Who gets in: names, origins, logins, guesses; and what every answer carries."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.types import Message, Scope

from lancelot.api.doors import Doors, refusal
from lancelot.errors import BadConfig, Forbidden, TooMany
from lancelot.exposure import Exposure, exposure, host_in_url, is_loopback
from lancelot.guesses import GuessLimit
from lancelot.keys import Keys
from tests.api.conftest import Gateway

SECRET = "a-proxy-secret-of-some-length"


def asked(
    host: str = "localhost:8501", path: str = "/", method: str = "GET", kind: str = "http", **headers: str
) -> Scope:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in {"host": host, **headers}.items()]
    return {"type": kind, "path": path, "method": method, "headers": raw}


class TestNames:
    @pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8501", "127.0.0.1:1", "[::1]:8501"])
    def test_ours_come_in(self, host: str) -> None:
        assert refusal(asked(host), Exposure()) is None

    @pytest.mark.parametrize(
        "host",
        ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "", "localhost@evil.example", "evil#localhost",
         "192.168.0.9", "localhost:port", "[::1", "local host", "127.0.0.1, evil.example"],
    )  # fmt: skip
    @pytest.mark.parametrize("kind", ["http", "websocket"])
    def test_a_name_pointed_at_us_does_not(self, host: str, kind: str) -> None:
        problem = refusal(asked(host, kind=kind), Exposure())
        assert problem is not None
        assert problem.code == "host_not_allowed"

    def test_configured_names_come_in(self) -> None:
        who = exposure("0.0.0.0", {"LANCELOT_ALLOWED_HOSTS": "console, lancelot.example.com"})
        assert refusal(asked("console:8501"), who) is None
        assert refusal(asked("other:8501"), who) is not None


class TestOrigins:
    @pytest.mark.parametrize("origin", ["http://localhost:8501", "HTTP://LOCALHOST:8501"])
    def test_our_own_pages_act(self, origin: str) -> None:
        assert refusal(asked(method="POST", origin=origin), Exposure()) is None

    @pytest.mark.parametrize(
        "origin",
        ["http://evil.example", "null", "http://localhost:3000", "http://localhost", "file://", "http://[", ""],
    )
    @pytest.mark.parametrize(("method", "kind"), [("POST", "http"), ("GET", "http"), ("GET", "websocket")])
    def test_other_pages_do_not(self, origin: str, method: str, kind: str) -> None:
        problem = refusal(asked(method=method, kind=kind, origin=origin), Exposure())
        assert problem is not None
        assert problem.code == "origin_not_allowed"

    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    def test_a_browser_that_says_so_is_believed(self, site: str) -> None:
        assert refusal(asked(method="POST", sec_fetch_site=site), Exposure()) is not None
        assert refusal(asked(method="GET", sec_fetch_site=site), Exposure()) is None  # a link to us

    def test_a_proxy_may_call_us_by_another_name(self) -> None:
        who = exposure("127.0.0.1", {"LANCELOT_ALLOWED_HOSTS": "lancelot.example.com"})
        assert refusal(asked(method="POST", origin="https://lancelot.example.com"), who) is None
        assert refusal(asked(method="POST", origin="https://lancelot.example.com:4433"), who) is not None


class TestBindAddress:
    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.com", ""])
    def test_beyond_this_machine_needs_a_login_or_a_private_network(self, host: str) -> None:
        with pytest.raises(Forbidden, match="login_needed"):
            exposure(host, {}).check()
        exposure(host, {"LANCELOT_PRIVATE_NETWORK": "1"}).check()
        exposure(host, {"LANCELOT_LOGIN": "oidc", "LANCELOT_OPERATORS": "anna@example.com"}).check()

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.9.1"])
    def test_this_machine_needs_nothing(self, host: str) -> None:
        assert is_loopback(host)
        exposure(host, {}).check()

    @pytest.mark.parametrize(
        "environ",
        [{"LANCELOT_LOGIN": "oidc"}, {"LANCELOT_LOGIN": "basic"}, {"LANCELOT_LOGIN": "proxy"},
         {"LANCELOT_LOGIN": "proxy", "LANCELOT_PROXY_SECRET_FILE": "/nonexistent"}],
    )  # fmt: skip
    def test_a_login_that_cannot_work_is_refused(self, environ: dict[str, str]) -> None:
        with pytest.raises(BadConfig):
            exposure("0.0.0.0", environ)

    def test_the_address_in_a_url(self) -> None:
        assert [host_in_url(host) for host in ("0.0.0.0", "::", "::1", "127.0.0.1")] == [
            "127.0.0.1", "[::1]", "[::1]", "127.0.0.1"]  # fmt: skip


class TestProxyLogin:
    @pytest.fixture
    def who(self, tmp_path: Path) -> Exposure:
        (tmp_path / "secret").write_text(SECRET + "\n")
        return exposure(
            "0.0.0.0",
            {
                "LANCELOT_LOGIN": "proxy",
                "LANCELOT_PROXY_SECRET_FILE": str(tmp_path / "secret"),
                "LANCELOT_OPERATORS": "anna@example.com",
            },
        )

    @pytest.mark.parametrize("kind", ["http", "websocket"])
    def test_pages_need_its_word(self, who: Exposure, kind: str) -> None:
        vouched = {"x_lancelot_proxy_secret": SECRET, "x_forwarded_email": "Anna@example.com"}
        assert refusal(asked(kind=kind, **vouched), who) is None
        for without in vouched:
            told = {name: value for name, value in vouched.items() if name != without}
            assert refusal(asked(kind=kind, **told), who) is not None
        assert refusal(asked(kind=kind, **(vouched | {"x_forwarded_email": "eve@example.com"})), who) is not None
        assert refusal(asked(kind=kind, **(vouched | {"x_lancelot_proxy_secret": SECRET[:-1]})), who) is not None

    def test_routes_ask_for_a_token_themselves(self, who: Exposure) -> None:
        assert refusal(asked(path="/v1/models"), who) is None
        assert refusal(asked(path="/docs"), who) is not None
        assert refusal(asked(path="/v1x"), who) is not None

    def test_the_secret_is_not_shown(self, who: Exposure) -> None:
        assert SECRET not in repr(who)


class TestGuesses:
    def test_twenty_wrong_tokens_and_no_more(self, tmp_path: Path) -> None:
        keys = Keys(tmp_path)
        _, secret = keys.add("app")
        for _ in range(20):
            assert keys.check("wrong", "203.0.113.9") is None
        with pytest.raises(TooMany):
            keys.check("wrong", "203.0.113.9")
        with pytest.raises(TooMany):  # a right one is not looked at either: guessing has to be of no use
            keys.check(secret, "203.0.113.9")
        with pytest.raises(TooMany):
            keys.check(keys.token(), "203.0.113.9")
        assert keys.check(secret, "203.0.113.10") is not None

    def test_nobody_is_locked_out_by_others(self, tmp_path: Path) -> None:
        keys = Keys(tmp_path)
        _, secret = keys.add("app")
        assert keys.check(secret, "127.0.0.1") is not None
        for _ in range(20):
            keys.check("wrong", "127.0.0.1")
        assert keys.check(secret, "127.0.0.1") is not None
        assert keys.check(keys.token(), "127.0.0.1") is not None

    def test_time_gives_guesses_back(self) -> None:
        now = [0.0]
        limit = GuessLimit(2, 60, clock=lambda: now[0])
        limit.wrong("a")
        limit.wrong("a")
        assert limit.wait_s("a") == pytest.approx(30)
        assert limit.wait_s("b") == 0
        now[0] = 31
        assert limit.wait_s("a") == 0


class TestServed:
    def test_every_answer_carries_the_headers_and_an_id(self, gateway: Gateway) -> None:
        for answer in (
            gateway.call("GET", "/system/health"),
            gateway.call("GET", "/v1/nothing"),
            gateway.call("GET", "/docs"),
            gateway.call("GET", "/system/health", headers={"Host": "evil.example"}),
        ):
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["x-frame-options"] == "DENY"
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert answer.headers["referrer-policy"] == "no-referrer"
        assert gateway.call("GET", "/system/health").headers["x-lancelot-request"]

    def test_rebinding_and_foreign_pages_are_refused_everywhere(self, gateway: Gateway) -> None:
        for path in ("/system/health", "/v1/models", "/docs", "/openapi.json", "/metrics"):
            assert gateway.call("GET", path, headers={"Host": "evil.example"}).status_code == 403
        cross = {"Origin": "http://evil.example", "Content-Type": "text/plain"}
        assert gateway.call("POST", "/v1/chat/completions", headers=cross, content="{}").status_code == 403
        assert gateway.call("OPTIONS", "/v1/chat/completions", headers=cross).status_code == 403

    def test_guessing_over_http_ends_in_429(self, gateway: Gateway) -> None:
        seen = []
        while 429 not in seen and len(seen) < 200:  # twenty at once; on a busy machine one more every three seconds
            refused = gateway.call("GET", "/v1/models", token=f"guess-{len(seen)}")
            seen.append(refused.status_code)
        assert seen[:20] == [401] * 20
        assert seen[-1] == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert gateway.call("GET", "/v1/models").status_code == 200

    def test_the_api_page_loads_nothing_from_elsewhere(self, gateway: Gateway) -> None:
        page = gateway.call("GET", "/docs").text
        assert "https://" not in page
        assert gateway.call("GET", "/docs-assets/swagger-ui-bundle.js").status_code == 200

    def test_one_id_leads_from_the_answer_to_the_receipt(self, gateway: Gateway) -> None:
        answer = gateway.chat("Hello there")
        gateway.services.receipts.flush()
        found = gateway.call("GET", f"/router/receipts/{answer.headers['x-lancelot-receipt']}").json()
        assert found["receipt"]["request_id"] == answer.headers["x-lancelot-request"]


@pytest.mark.anyio
async def test_a_refused_websocket_is_closed_before_it_opens() -> None:
    sent: list[Message] = []

    async def app(*_: object) -> None:
        raise AssertionError("it was let in")

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    class App:
        class state:
            exposure = Exposure()

    scope = asked("evil.example", kind="websocket") | {"app": App}
    await Doors(app)(scope, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]
