"""Profiles."""

import click


@click.group()
def profile() -> None:
    """Profiles."""
