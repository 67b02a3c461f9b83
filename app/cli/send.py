"""`headrace send`."""
import click


@click.command()
def send() -> None:
    """To be written."""
