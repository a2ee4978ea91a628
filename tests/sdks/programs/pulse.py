"""A program that reports an error each 50 ms by Sentry's SDK as it comes, until its standard input ends."""

import os
import select
import sys

import sentry_sdk


class PulseError(Exception):
    """What is wrong each time."""


def beat(number: int) -> None:
    raise PulseError(f"beat {number}")


def main() -> None:
    sentry_sdk.init(os.environ["SENTRY_DSN"], release="pulse@1.0.0")
    number = 0
    while not select.select([sys.stdin], [], [], 0.05)[0]:
        number += 1
        try:
            beat(number)
        except PulseError as error:
            sentry_sdk.capture_exception(error)


if __name__ == "__main__":
    main()
