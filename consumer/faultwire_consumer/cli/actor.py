"""The name of the person who asks for a change: the history keeps it."""

import getpass

from faultwire_consumer.cli.output import cell


def user_name() -> str:
    """The name of the user who runs the command."""
    try:
        return cell(getpass.getuser())[:100] or "cli"
    except (OSError, KeyError):  # an unnamed user id, as in many containers
        return "cli"
