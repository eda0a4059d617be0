"""Attempts, resends and the wait: they grow, they end, and no clock and no restart bends them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lancelot.errors import BadInput, TooMany
from lancelot.onboarding.clocks import Moment, SystemClock, elapsed, moment
from lancelot.onboarding.codes import clean_code, expired, is_right, lifetime_left, new_code, seal
from lancelot.onboarding.cooldown import (
    FIRST_S,
    MAXIMUM_S,
    Guards,
    begin_cooldown,
    check_may_send,
    code_sent,
    code_verified,
    cooldown_length,
    end_cooldown,
    heartbeat,
    remaining,
    send_wait,
    wrong_attempt,
)

KEY = b"k" * 32


def at(wall: float = 1e9, boot: float = 100.0, boot_id: str = "one") -> Moment:
    return Moment(wall=wall, boot=boot, boot_id=boot_id)


def test_the_wait_grows_from_thirty_seconds_to_fifteen_minutes() -> None:
    lengths = [cooldown_length(level) for level in range(40)]
    assert lengths[0] == FIRST_S == 30
    assert lengths[1:3] == [60, 120]
    assert max(lengths) == MAXIMUM_S == 900
    assert lengths == sorted(lengths)


def test_a_clock_set_back_or_forward_changes_nothing_within_one_boot() -> None:
    guards = begin_cooldown(Guards(), at())
    for wall in (0.0, 1e9 - 86400, 1e9 + 86400, 4e9):
        assert remaining(guards, at(wall=wall, boot=110.0)) == 20.0


def test_after_a_reboot_with_the_clock_set_back_the_wait_still_ends() -> None:
    guards = begin_cooldown(Guards(), at())
    assert remaining(guards, at(wall=1e9 - 5000, boot=5.0, boot_id="two")) == 25.0
    assert remaining(guards, at(wall=1e9 - 5000, boot=31.0, boot_id="two")) == 0.0


@given(
    level=st.integers(0, 50),
    wall=st.floats(-1e12, 1e12),
    boot=st.floats(0, 1e9),
    boot_id=st.sampled_from(["one", "two"]),
)
def test_never_longer_than_its_maximum(level: int, wall: float, boot: float, boot_id: str) -> None:
    guards = begin_cooldown(Guards(level=level), at())
    assert 0 <= remaining(guards, at(wall, boot, boot_id)) <= MAXIMUM_S


def test_a_heartbeat_keeps_what_was_served_over_reboots() -> None:
    guards = begin_cooldown(Guards(level=5), at())
    assert heartbeat(guards, at(boot=101.0)) is None
    later = heartbeat(guards, at(boot=700.0))
    assert later is not None
    assert later.epoch == guards.epoch + 1
    assert remaining(later, at(wall=0.0, boot=1.0, boot_id="two")) == 299.0


def test_five_wrong_codes_begin_a_wait_and_the_wait_gives_attempts_back() -> None:
    guards, cooling = Guards(code=seal("123456", KEY, at())), False
    for number in range(1, 6):
        guards, cooling = wrong_attempt(guards, at())
        assert guards.attempts == number
        assert cooling == (number == 5)
    assert guards.code is None
    served = end_cooldown(guards)
    assert (served.attempts, served.resends, served.level) == (0, 0, 1)
    assert cooldown_length(served.level) == 60


def test_another_code_is_no_new_set_of_guesses() -> None:
    guards, _ = wrong_attempt(Guards(code=seal("123456", KEY, at())), at())
    assert code_sent(guards, seal("654321", KEY, at()), at()).attempts == 1


def test_success_forgets_what_was_counted() -> None:
    done = code_verified(Guards(attempts=3, resends=2, level=4, code=seal("123456", KEY, at())))
    assert (done.attempts, done.resends, done.level, done.code) == (0, 0, 0, None)


def test_sixty_seconds_apart_and_three_a_code() -> None:
    guards, boot = Guards(), 100.0
    for resend in range(4):
        check_may_send(guards, at(boot=boot))
        guards = code_sent(guards, seal("123456", KEY, at(boot=boot)), at(boot=boot))
        assert guards.resends == resend
        with pytest.raises(TooMany) as early:
            check_may_send(guards, at(boot=boot + 59.0))
        assert early.value.code in ("resend_too_soon", "resend_limit")
        boot += 60.0
    with pytest.raises(TooMany) as spent:
        check_may_send(guards, at(boot=boot))
    assert spent.value.code == "resend_limit"
    assert spent.value.retry_after == 540
    check_may_send(guards, at(boot=boot + 540.0))  # the code has expired: a new one is a new series
    assert send_wait(guards, at(boot=boot + 540.0)) == 0


def test_a_code_is_six_digits_kept_as_a_keyed_hash() -> None:
    code = new_code()
    assert len(code) == 6
    assert code.isdigit()
    record = seal(code, KEY, at())
    assert code not in record.model_dump_json()
    assert is_right(record, code, KEY)
    assert not is_right(record, code, b"x" * 32)
    assert not is_right(record, f"{(int(code) + 1) % 1_000_000:06d}", KEY)


def test_ten_minutes_and_no_longer_whatever_the_clock_says() -> None:
    record = seal("123456", KEY, at())
    assert lifetime_left(record, at(wall=0.0, boot=699.0)) == 1.0
    assert expired(record, at(boot=700.0))
    assert expired(record, at(wall=1e9 - 1, boot=1.0, boot_id="two"))  # a reboot and a clock set back: it has ended


@pytest.mark.parametrize(("typed", "code"), [("123456", "123456"), (" 123 456 ", "123456"), ("123-456", "123456")])
def test_typing_habits_are_understood(typed: str, code: str) -> None:
    assert clean_code(typed) == code


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "12345a", "１２３４５６", "١٢٣٤٥٦"])
def test_what_is_not_six_digits_is_refused_uncounted(typed: str) -> None:
    with pytest.raises(BadInput) as refused:
        clean_code(typed)
    assert refused.value.code == "code_malformed"


def test_the_system_clock_moves_on() -> None:
    clock = SystemClock()
    first, second = moment(clock), moment(clock)
    assert first.boot_id == second.boot_id
    assert 0 <= elapsed(first, second) < 60
