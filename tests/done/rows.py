"""What "done" means: each promise of the blueprint, the check that proves it, and a fault that the check must find.

A fault breaks the product, in a copy: a file, the text in it, and what stands there instead.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ROWS", "Fault", "Row"]


@dataclass(frozen=True)
class Fault:
    """One way to break the product."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Row:
    """One promise. `checks` are pytest node ids; all of them have to pass, and at least one has to run in each."""

    id: str
    promise: str
    checks: tuple[str, ...]
    fault: Fault


ONBOARDING = "tests/onboarding"
ROWS = (
    Row(
        "prompt 0",
        "Test harness: markers, strict settings, a runner that fails when a test fails",
        ("tests/done/test_harness.py",),
        Fault("scripts/test.sh", '-rfER "$@"', '-rfER "$@" || true'),
    ),
    Row(
        "prompt 1",
        "The set-up is on disk before anybody is told, and damage recovers",
        (
            f"{ONBOARDING}/test_snapshot.py::test_every_save_is_file_fsync_rename_folder_fsync",
            f"{ONBOARDING}/test_snapshot.py::test_damage_recovers_to_the_last_good_copy_with_the_newest_counters",
        ),
        Fault("lancelot/files.py", "            disk.fsync(descriptor)\n", "            pass\n"),
    ),
    Row(
        "prompt 2",
        "STATUS answers in every state",
        (
            f"{ONBOARDING}/test_recovery.py::test_every_command_answers_in_every_state",
            f"{ONBOARDING}/test_recovery.py::test_a_cooldown_survives_everything_and_ends_by_itself",
        ),
        Fault(
            "lancelot/onboarding/commands.py",
            "return Answer(command, True, self._where())",
            "raise BadInput(self._where())",
        ),
    ),
    Row(
        "prompt 3",
        "BACK and RESTART STEP lose nothing",
        (f"{ONBOARDING}/test_recovery.py::test_back_loses_nothing", f"{ONBOARDING}/test_states.py"),
        Fault(
            "lancelot/onboarding/states.py",
            "moves[Move.BACK] = (ORDER[index - 1],)",
            "moves[Move.BACK] = (State.WELCOME,)",
        ),
    ),
    Row(
        "prompt 4",
        "Codes are kept hashed; RESEND CODE is rate-limited",
        (
            f"{ONBOARDING}/test_cooldown.py::test_a_code_is_six_digits_kept_as_a_keyed_hash",
            f"{ONBOARDING}/test_recovery.py::test_resends_are_sixty_seconds_apart_and_three_a_code",
        ),
        Fault(
            "lancelot/onboarding/codes.py",
            'return hmac.new(key, f"code|{salt}|{channel}|{code}".encode(), hashlib.sha256).hexdigest()',
            "return code",
        ),
    ),
    Row(
        "prompt 5",
        "Wrong codes lead to a short COOLDOWN that ends by itself, never to a lockout",
        (f"{ONBOARDING}/test_cooldown.py", f"{ONBOARDING}/test_threads.py::test_a_cooldown_ends_while_nobody_looks"),
        Fault("lancelot/onboarding/cooldown.py", "MAXIMUM_S = 900.0", "MAXIMUM_S = 9_000_000.0"),
    ),
    Row(
        "prompt 6",
        "The control plane: status, submits and commands over HTTP, with safe errors",
        (f"{ONBOARDING}/test_api.py", "tests/api/test_doors.py::TestServed"),
        Fault("lancelot/api/errors.py", "error.status} | error.to_dict()", 'error.status} | {"detail": str(error)}'),
    ),
    Row(
        "prompt 7",
        "War Room: set-up and recovery panel with the six commands in every state",
        (f"{ONBOARDING}/test_page.py::test_every_state_is_drawn_with_the_six_commands",),
        Fault("console/onboarding/recovery.py", 'for row in status["commands"]:', "for row in []:"),
    ),
    Row(
        "prompt 8",
        "The local model's package: lock file, prompts, schema",
        ("tests/local_models/test_lockfile.py", "tests/local_models/test_golden.py"),
        Fault("local_models/models.lock.yaml", "sha256: ", "sha256: 0"),
    ),
    Row(
        "prompt 9",
        "Download with checksum: a wrong file is never published, a broken download goes on",
        (
            "tests/local_models/test_fetch_download.py::test_the_wrong_file_is_never_published",
            "tests/local_models/test_fetch_download.py::test_a_truncated_answer_is_continued_where_it_stopped",
        ),
        Fault(
            "local_models/fetch_model.py",
            "if sha256 is None or partial.sha256() == sha256:",
            "if sha256 is None or partial.sha256():",
        ),
    ),
    Row(
        "prompt 10",
        "The smoke test refuses a model that answers garbage",
        ("tests/local_models/test_smoke.py",),
        Fault("local_models/smoke_test.py", "return all(check.ok", "return any(check.ok"),
    ),
    Row(
        "prompt 11",
        "local-llm container: health check, shared weights, nothing published",
        ("tests/local_models/test_docker_files.py",),
        Fault("docker-compose.yml", "      - weights:/models\n", "      - other:/models\n"),
    ),
    Row(
        "prompt 12",
        "The set-up installs and verifies the local model; nothing skips it",
        (
            f"{ONBOARDING}/test_flow.py::test_the_local_model_cannot_be_skipped",
            f"{ONBOARDING}/test_states.py::test_nothing_skips_the_local_model",
        ),
        Fault(
            "lancelot/onboarding/states.py",
            "moves[Move.FORWARD] = (ORDER[index + 1],)",
            "moves[Move.FORWARD] = (ORDER[min(index + 1 + (state is State.CREDENTIALS_VERIFY), len(ORDER) - 1)],)",
        ),
    ),
    Row(
        "prompt 13",
        "LocalModelClient and the utility tasks, on our service and on a foreign one",
        ("tests/brain/test_client_foreign.py",),
        Fault("lancelot/brain/client.py", 'f"/v1/utility/{task}"', 'f"/v1/utilities/{task}"'),
    ),
    Row(
        "prompt 14",
        "Configuration is strict and typed; provider profiles come from it",
        ("tests/test_config.py", "tests/providers/test_profiles.py"),
        Fault(
            "lancelot/config_yaml.py",
            'ConfigDict(extra="forbid", strict=True',
            'ConfigDict(extra="ignore", strict=True',
        ),
    ),
    Row(
        "prompt 15",
        "Utility tasks stay on this machine and leave a receipt",
        ("tests/routing/test_router.py::test_a_utility_task_stays_local_and_has_a_receipt",),
        Fault(
            "lancelot/routing/utility.py",
            "            await self._recorder.write(None, receipt)\n",
            "            pass\n",
        ),
    ),
    Row(
        "prompt 16",
        "Fast and deep lanes: risk goes up, never down; failures escalate",
        (
            "tests/routing/test_decide.py",
            "tests/routing/test_router.py::test_an_error_on_fast_escalates_and_each_attempt_is_a_receipt",
        ),
        Fault(
            "lancelot/routing/decide.py",
            "if hard.rank <= one.rank < lane.rank]",
            "if one.rank < lane.rank]",
        ),
    ),
    Row(
        "prompt 17",
        "Usage adds up to the last digit; an unpriced call costs unknown, not nothing",
        ("tests/store/test_usage.py",),
        Fault("lancelot/store/rollup.py", '"coalesce(sum(cost_usd), 0)"', '"coalesce(sum(cost_usd), 0) * 2"'),
    ),
    Row(
        "prompt 18",
        "Hardening: names, origins, guesses and headers; failures without leaks",
        ("tests/api/test_doors.py", "tests/api/test_limits.py"),
        Fault("lancelot/api/doors.py", "not in who.allowed_hosts:\n", "== 'nobody':\n"),
    ),
    Row(
        "single flagship",
        "The operator chooses one flagship provider out of four",
        (
            f"{ONBOARDING}/test_wiring.py::test_the_four_providers_of_the_configuration",
            f"{ONBOARDING}/test_flow.py::test_from_welcome_to_ready_with_the_defaults",
        ),
        Fault("config/models.yaml", "  gemini:\n", "  gemini2:\n"),
    ),
    Row(
        "local brain",
        "The local utility brain is mandatory: an edited record or vanished weights do not pass",
        (
            f"{ONBOARDING}/test_flow.py::test_an_edited_snapshot_is_corrected_not_believed",
            f"{ONBOARDING}/test_flow.py::test_verified_weights_that_vanish_are_noticed",
        ),
        Fault("lancelot/onboarding/facts.py", "            and self._model.verified()\n", ""),
    ),
    Row(
        "no dead ends",
        "READY stays reachable from every state, whatever happens",
        (f"{ONBOARDING}/test_states.py", "tests/faults/test_onboarding_kill.py"),
        Fault("lancelot/onboarding/states.py", "        Move.THAW: WAITABLE,\n", ""),
    ),
    Row(
        "war room recovers",
        "The War Room recovers and intervenes: commands, repairs with undo, approvals",
        (f"{ONBOARDING}/test_page.py", "tests/test_repair.py", "tests/test_approvals.py"),
        Fault("lancelot/repair.py", "fixed, detail = recheck()", 'fixed, detail = True, "done"'),
    ),
    Row(
        "auditable",
        "Every decision has a receipt in a chain that shows tampering",
        ("tests/store/test_chain.py", "tests/routing/test_router.py::test_a_request_all_the_way"),
        Fault(
            "lancelot/store/chain.py", "elif self._at is not None and prev != self._at.hash:", "elif self._at is None:"
        ),
    ),
    Row(
        "licensing",
        "Apache-2.0; nothing at run time binds its users; what is downloaded is named",
        ("tests/test_licences.py",),
        Fault("NOTICE", "certifi", "a package"),
    ),
    Row(
        "tests pass",
        "The tests run for every change and a warning is an error; layers and public names hold",
        ("tests/done/test_harness.py", "tests/test_layers.py", "tests/test_public_names.py"),
        Fault("pyproject.toml", 'filterwarnings = ["error"]', 'filterwarnings = ["ignore"]'),
    ),
)
