"""`headrace key`: makes an API key."""

import secrets

import click

from headrace.app.cli.terminal import say
from headrace.app.keys import NAME, ROLES, digest_of
from headrace.learning.near import nearest


@click.command()
@click.argument("name")
@click.argument("roles", metavar="ROLE[,ROLE]")
def key(name: str, roles: str) -> None:
    """Make an API key with a NAME and ROLES (predict, feedback, admin).

    The line for the keys file goes to stdout, the key itself to stderr. The key is stored nowhere: give it to its user.

        headrace key phone predict >> keys
    """
    if not NAME.fullmatch(name):
        form = "Use up to 63 letters, digits, '.', '_', '@' and '-', a letter or digit first."
        raise click.UsageError(f"'{name}' is no name for a key. {form}")
    for role in roles.split(","):
        if role not in ROLES:
            hint = nearest(role, ROLES) or f"Roles: {', '.join(ROLES)}."
            raise click.UsageError(f"'{role}' is no role. {hint}")
    secret = secrets.token_urlsafe(32)
    say(f"{name} {roles} {digest_of(secret).hex()}")
    say(f"The key, shown this once: {secret}", err=True)
