"""Keys by shape, passwords by their words, and quiet on what only looks like one."""

from __future__ import annotations

import base64
import random
import string

import pytest

from lancelot.redaction import secrets

from .finding import found

_RANDOM = random.Random(20260301)


def _mixed(size: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    """Random, and certain to hold a digit, a capital and a small letter."""
    body = "".join(_RANDOM.choice(alphabet) for _ in range(size - 3))
    return body + "7" + "K" + "q"


def _hex(size: int) -> str:
    return "".join(_RANDOM.choice("0123456789abcdef") for _ in range(size - 2)) + "a7"


ISSUED = [
    "AKIA" + "Q3EGXJ7TMW4LB5ND",
    "ghp_" + _mixed(36),
    "github_pat_" + _mixed(60),
    "glpat-" + _mixed(20),
    "xoxb-" + "781236542736-2364535789652-" + _mixed(24),
    "sk-" + _mixed(48),
    "sk-ant-api03-" + _mixed(60),
    "sk_live_" + _mixed(24),
    "AIza" + _mixed(35),
    "hf_" + _mixed(34),
    "npm_" + _mixed(36),
    "SG." + _mixed(22) + "." + _mixed(43),
    "dop_v1_" + _hex(64),
    "shpat_" + _hex(32),
    "glsa_" + _mixed(32) + "_" + _hex(8),
    "hvs." + _mixed(30),
    "dckr_pat_" + _mixed(27),
    "lin_api_" + _mixed(40),
    "acme_prod_" + _mixed(32),
]


@pytest.mark.parametrize("key", ISSUED, ids=lambda key: key[:8])
@pytest.mark.parametrize("frame", ["{}", "key: {}", '"{}"', "curl -H 'X-Key: {}' https://api.example", "use {} please"])
def test_makers_keys(key: str, frame: str) -> None:
    assert ("SECRET", key) in found(frame.format(key), secrets.find)


@pytest.mark.parametrize(
    ("frame", "value"),
    [
        ("DB_PASSWORD={}", "tr0ub4dor&3xK"),
        ('password = "{}"', "Larkspur-1947!"),
        ("password: {}", "Tulip9garden"),
        ("the wifi password is {}", "S0mmer_Wind"),
        ("my passwort: {}", "Fr0sch!teich"),
        ("<password>{}</password>", "xY7kkTr2p"),
        ('<add key="Password" value="{}" />', "CleartextPass1"),
        ('{{"name": "api_key", "value": "{}"}}', "Zk39aQw71LmN0pXv"),
        ("Authorization: Bearer {}", _mixed(32)),
        ("--token {}", _mixed(24)),
        ("api_key := `{}`", _hex(32)),
        ('System.setProperty("API_TOKEN", "{}")', _mixed(32)),
        ("CREATE USER app IDENTIFIED BY '{}'", "Sq1Pa55w0rd"),
        ("user anna pass {}", "Sunf1ower!22"),
        ("credentials: maria@jobs.example / {}", "SecureP@ss8901"),
        ("my PIN is {}", "4471"),
        ("Your bank code is {}", "551902"),
        ("Authorization code from the app is {}", "884 213"),
        ("curl -u {} https://x.example", "anna:Xy7kkTr2p"),
        ('curl -u "{}" https://x.example', ":Xy7!kkTr2p"),
        ("curl --user {}' https://x.example", "anna:'Xy7kkTr2p"),
        ("curl -u {} https://x.example", "elastic:W1nter$9"),
        ('DB_PASSWORD = os.getenv("DB_PASSWORD", "{}")', "Sp1cyMango9"),
        ('salt = b"{}"', "kq7!Wm2zT0aP"),
        ("deploy --token {} --dry-run", "Zk39aQw71LmN"),
        ("id/pw: anna / {}", "Xy7!kkTr2p"),
        ("user & password = anna, {}", "Xy7!kkTr2p"),
        ("log in at 10.0.4.7 (anna/{})", "Xy7kkTr2p"),
        ('{{"kty": "oct", "k": "{}"}}', _mixed(32)),
        ("<p>the password is {}&lt;/p&gt;", "Tulip9garden"),
        ("\x1b[93m{}\x1b[0m", "ghp_" + _mixed(36)),
        ('api_key = """{}\nmore"""', _mixed(32)),
    ],
)
def test_told_by_the_words(frame: str, value: str) -> None:
    assert ("SECRET", value) in found(frame.format(value), secrets.find)


def test_blocks_and_structures() -> None:
    body = "\n".join(_mixed(64) for _ in range(4))
    pem = f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----"
    assert found(f"key:\n{pem}\nend", secrets.find) == [("SECRET", pem)]
    assert found(pem[:150], secrets.find) == [("SECRET", pem[:150])]  # cut off: all of it
    encoded = base64.b64encode(pem.encode()).decode()
    assert found(f"data {encoded}", secrets.find) == [("SECRET", encoded)]
    jwt = "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0In0." + _mixed(43)
    assert ("SECRET", jwt) in found(f"cookie {jwt};", secrets.find)
    assert ("SECRET", "hunter2x") in found("postgres://app:hunter2x@db.example/main", secrets.find)
    hook = "https://hooks.slack.com/services/T0AB12CD3/B9ZX8YW7V/" + _mixed(24)
    assert ("SECRET", hook) in found(f"post to {hook}", secrets.find)
    manifest = "kind: Secret\ndata:\n  password: UyFCXCpkJHpEc2I9aW5n\n"
    assert ("SECRET", "UyFCXCpkJHpEc2I9aW5n") in found(manifest, secrets.find)


@pytest.mark.parametrize(
    "text",
    [
        "id 7f9c2e1a-3d44-4b1e-9c55-0a6d5b7e1f20",
        '"integrity": "sha512-' + _mixed(86) + '=="',
        "commit " + _hex(40),
        "sha256:" + _hex(64),
        'api_key = "YOUR_API_KEY_HERE"',
        'password = "changeme-example"',
        "password = os.environ['DB_PASSWORD']",
        "password = get_password(user)",
        "token = self.config.token",
        "PASSWORD=${DB_PASSWORD}",
        "api_key: <your key>",
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "The password must have 12 characters.",
        "Forgot password? Reset your password today.",
        "primary_key=user_4471_id, foreign key 7",
        'keyboard: "qwertz105"',
        "author = Jane, authority 7, monkey 12",
        "public_token = " + _mixed(24),
        "tokens per second: 1250, token count 4096",
        "the key takeaway is 3x growth in 2026Q1",
        "passport control at gate B12",
        "https://example.org/assets/main." + _hex(20) + ".js",
        "ssh-rsa fingerprint " + _hex(32),
        "error code 1042, area code 415",
        "#define PASSWORD_MASK 0x31c45018, PASSWORD 0x0dead1beef7cafe2",
        "tokenized_value = " + _mixed(32),
        '<input name="authenticity_token" value="' + _mixed(30) + '">',
        "/assets/ico-" + _hex(32) + ".png",
        "akab-" + _hex(16) + "-" + _hex(16) + ".drain.akamaiapis.net",
        "xoxp-572370529330-573807301142-572331691188-####",
        "firmware R21A-A-V010SP13RC181024R16900-CN-B_250K-Release-OTA-97B6C6C592419760",
        "desktop-rhf_SponsoredProductsRemoteRHFSearchEXPSubsK2ClickPagination",
        "-----BEGIN FAKE PRIVATE KEY-----\n" + _mixed(34) + "\n-----END FAKE PRIVATE KEY-----",
    ],
)
def test_quiet_on_what_is_none(text: str) -> None:
    assert found(text, secrets.find) == []


@pytest.mark.parametrize("tail", ["abcdef", "123456", "654321", "fffffff"])
def test_keys_that_count_are_made_up(tail: str) -> None:
    assert not found(f"ghp_{_mixed(30 - len(tail))}{tail}{_mixed(6)}", secrets.find)


def test_a_network_and_its_quoted_password() -> None:
    assert ("SECRET", "heron-Gravel-71") in found('the wifi is "heron-Gravel-71", ask at the desk', secrets.find)
    assert not found('the wifi is "down" again and the router is "rebooting"', secrets.find)


def test_sealed_secrets_and_hashes_of_lock_files_stay() -> None:
    sealed = "Ag" + "B" + _mixed(180)
    assert not found(f"kind: SealedSecret\nspec:\n  encryptedData:\n    TOKEN: {sealed}=\n", secrets.find)
    assert not found(f"github.com/a/b v0.9.1 h1:{_mixed(43)}=", secrets.find)


def test_lines_of_encoded_data_are_data() -> None:
    picture = "\n".join(_mixed(76) for _ in range(6))
    assert found(picture, secrets.find) == []
