"""``pratique console``: the console in a browser, and what opens it."""

import time
from pathlib import Path
from typing import Final

import click

from pratique.cli.listing import Span, local_time, print_table
from pratique.config import load
from pratique.errors import UsageError
from pratique.hub.desk import Desk, Memory
from pratique.hub.server import names_of, require_free, serve
from pratique.hub.sessions import Role
from pratique.pipelines.console import (
    NO_CONSOLE,
    TICKET_S,
    Address,
    login_link,
    parse_address,
    require_ours,
)
from pratique.store import Store

_ROLES: Final = click.Choice([role.value for role in Role])


@click.group()
def command() -> None:
    """Serve the console, and make what opens it.

    'pratique up' and 'pratique agent' serve it themselves, unless PRATIQUE_CONSOLE is off.
    """


@command.command("serve")
@click.option("--with-parent", is_flag=True, hidden=True)
def serve_(with_parent: bool) -> None:
    """Serve the console in the foreground, beside an agent that runs without one."""
    options = load()
    with Store.open(options.store) as store:
        address = _address(options.console)
        if not with_parent and not address.private:
            click.echo(
                "warning: other machines can reach it, without TLS: put a proxy with TLS in front of it", err=True
            )
        if not with_parent:
            require_free(address)
            link = login_link(store, address.url, Role.OPERATOR)
            click.echo(f"{link}\n(logs in once, within {TICKET_S / 60:.0f} minutes; Ctrl-C ends)")
        desk = Desk(
            store=store,
            policy_path=options.policy_path,
            run_dir=Path(options.run_dir),
            memory=Memory(),
            advisories_path=options.advisories_path,
        )
        serve(desk, address, names_of(address, options.console_names), with_parent=with_parent)


@command.command("login")
@click.option("--role", type=_ROLES, default=Role.OPERATOR.value, show_default=True, help="What it may do.")
def login(role: str) -> None:
    """Print a link that logs a browser in, once."""
    options = load()
    address = _address(options.console)
    require_ours(address.port)
    with Store.open(options.store) as store:
        click.echo(login_link(store, address.url, Role(role)))
    click.echo(f"it logs in once, within {TICKET_S / 60:.0f} minutes", err=True)


@command.group("token")
def token() -> None:
    """Tokens for programs that use the API: 'Authorization: Bearer TOKEN'."""


@token.command("create")
@click.option("--name", required=True, metavar="NAME", help="What it is for.")
@click.option("--role", type=_ROLES, default=Role.VIEWER.value, show_default=True, help="What it may do.")
@click.option("--expires", type=Span(), metavar="SPAN", help="It ends after so long: 12h, 30d.  [never]")
def create(name: str, role: str, expires: float | None) -> None:
    """Make a token and print it; it cannot be shown again."""
    now = time.time()
    with Store.open(load().store) as store:
        if not name.strip() or any(record.name == name for record in store.tokens.all()):
            msg = f"a token needs a name that no other one has, not {name!r}"
            raise UsageError(msg, hint="'pratique console token list' shows the names")
        click.echo(store.tokens.create(name, role, now, now + expires if expires else None))


@token.command("list")
def list_() -> None:
    """Show the tokens there are."""
    now = time.time()
    with Store.open(load().store, read_only=True) as store:
        records = store.tokens.all()
    print_table(
        ("NAME", "ROLE", "SINCE", "UNTIL"),
        [
            [
                record.name,
                record.role,
                local_time(record.created_at),
                "expired" if record.expires_at and record.expires_at <= now else local_time(record.expires_at),
            ]
            for record in records
        ],
    )


@token.command("revoke")
@click.argument("name")
def revoke(name: str) -> None:
    """Make a token open nothing any more."""
    with Store.open(load().store) as store:
        if not store.tokens.revoke(name):
            msg = f"there is no token {name!r}"
            raise UsageError(msg, hint="'pratique console token list' shows the names")
    click.echo(f"revoked {name}")


def _address(option: str) -> Address:
    if option == NO_CONSOLE:
        msg = "the console is off: PRATIQUE_CONSOLE says so"
        raise UsageError(msg, hint="set PRATIQUE_CONSOLE=127.0.0.1:8470")
    return parse_address(option)
