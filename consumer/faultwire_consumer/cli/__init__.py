"""The command line: ``faultwire <noun> <verb>``, a client of the API wherever it can be one."""

import sys

from faultwire_shared import __version__


def main() -> None:
    """Run the command that the arguments name, and exit as it says."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"{__version__}\n")
        return
    if sys.argv[1:] in (["health", "-q"], ["health", "--quiet"]):
        from faultwire_consumer.cli.ready import check_ready  # noqa: PLC0415 - for this command alone

        sys.exit(check_ready())
    try:
        from faultwire_consumer.cli.application import run  # noqa: PLC0415 - the extra may not be installed
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("faultwire"):
            raise
        sys.stderr.write(
            f"faultwire: the command needs the worker's packages ({error.name} is missing); "
            "run: pip install 'faultwire[consumer]'\n"
        )
        sys.exit(1)
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
