"""One step a state; all of them by state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from lancelot.onboarding.states import State
from lancelot.onboarding.steps import local_utility
from lancelot.onboarding.steps.base import Step
from lancelot.onboarding.steps.comms import CommsConfigureStep, CommsSelectionStep, CommsVerifyStep
from lancelot.onboarding.steps.credentials import CredentialsStep, VerifyStep
from lancelot.onboarding.steps.final import FinalChecksStep
from lancelot.onboarding.steps.local_utility import LocalUtilityStep
from lancelot.onboarding.steps.opening import FlagshipStep, WelcomeStep

__all__ = ["STEPS", "SUBSTEPS"]

_ALL: tuple[Step, ...] = (
    WelcomeStep(),
    FlagshipStep(),
    CredentialsStep(),
    VerifyStep(),
    LocalUtilityStep(),
    CommsSelectionStep(),
    CommsConfigureStep(),
    CommsVerifyStep(),
    FinalChecksStep(),
)
STEPS: Mapping[State, Step] = MappingProxyType({step.state: step for step in _ALL})
SUBSTEPS: Mapping[State, Sequence[tuple[str, str]]] = MappingProxyType(
    {
        State.CREDENTIALS_VERIFY: (("verify", "Ask the provider which models the key may use"),),
        State.LOCAL_UTILITY_SETUP: local_utility.SUBSTEPS,
        State.COMMS_CONFIGURE: (("send", "Send the code"),),
    }
)
