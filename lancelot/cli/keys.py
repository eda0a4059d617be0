"""keys: named application keys for the gateway."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from lancelot.cli.output import Out, command
from lancelot.errors import BadInput
from lancelot.keys import LANES, Keys
from lancelot.settings import data_dir

__all__ = ["register"]


def list_keys(out: Out) -> int:
    """All application keys; secrets are not kept and cannot be shown."""
    keys = Keys(data_dir()).all()
    lines = [
        f"{key.id}  {key.name}  {','.join(key.lanes)}  {'revoked' if key.revoked else 'active'}" for key in keys
    ] or ["No application keys yet. `lancelot keys add NAME` makes one."]
    out.result({"keys": [key.shown() for key in keys]}, lines)
    return 0


def add(
    out: Out,
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    lanes: Annotated[str, typer.Option(help="Lanes it may use, separated by commas.")] = ",".join(LANES),
    daily_usd: Annotated[str | None, typer.Option(help="US dollars a day at most.")] = None,
    monthly_usd: Annotated[str | None, typer.Option(help="US dollars a month at most.")] = None,
    daily_tokens: Annotated[int | None, typer.Option(min=0, help="Tokens a day at most.")] = None,
    monthly_tokens: Annotated[int | None, typer.Option(min=0, help="Tokens a month at most.")] = None,
) -> int:
    """Make a key. Its secret is shown this once."""
    key, secret = Keys(data_dir()).add(
        name,
        lanes=[lane.strip() for lane in lanes.split(",") if lane.strip()],
        daily_usd=_money(daily_usd),
        monthly_usd=_money(monthly_usd),
        daily_tokens=daily_tokens,
        monthly_tokens=monthly_tokens,
    )
    out.note(f"{key.id} ({key.name}). Keep this secret now; it is not shown again:")
    out.result(key.shown() | {"secret": secret}, secret)
    return 0


def revoke(out: Out, key: Annotated[str, typer.Argument(help="The key's id or name.")]) -> int:
    """Make a key useless at once."""
    gone = Keys(data_dir()).revoke(key)
    out.result(gone.shown(), f"{gone.id} ({gone.name}) is revoked.")
    return 0


def _money(given: str | None) -> Decimal | None:
    if given is None:
        return None
    try:
        value = Decimal(given)
    except InvalidOperation:
        value = Decimal(-1)
    if not value.is_finite() or value < 0:
        raise BadInput(f"{given} is not an amount of US dollars.", hint="For example 2.50")
    return value


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Named application keys for the gateway.", no_args_is_help=True)
    command(group, "list")(list_keys)
    command(group)(add)
    command(group)(revoke)
    app.add_typer(group, name="keys")
