"""`headrace key`: make an API key."""

import secrets

import click

from app.keys import ROLES, digest_of, parse_keys


@click.command()
@click.argument("name")
@click.argument("roles", metavar="ROLE[,ROLE]")
def key(name: str, roles: str) -> None:
    """Make an API key with a NAME and ROLES (predict, feedback, admin).

    The line for the keys file goes to stdout, the key itself to stderr. It is kept nowhere: give it to whom it is for.

        headrace key phone predict >> keys
    """
    secret = secrets.token_urlsafe(32)
    line = f"{name} {roles} {digest_of(secret).hex()}"
    parse_keys(line, f"'{name} {roles}' (roles: {', '.join(ROLES)})")
    click.echo(line)
    click.echo(f"The key, shown this once: {secret}", err=True)
