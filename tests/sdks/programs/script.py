"""A program that reports by Sentry's SDK: errors that it catches, lines that it logs, and its own end."""

import logging
import os

import sentry_sdk

logger = logging.getLogger("shop.orders")


class PaymentError(Exception):
    """What fails in this shop."""


class StockError(Exception):
    """Something else that fails in it."""


def charge(order: int) -> None:
    raise ConnectionError(f"no answer for order {order}")


def pay(order: int) -> None:
    try:
        charge(order)
    except ConnectionError as error:
        raise PaymentError(f"gateway refused order {order}") from error


def take_from_stock(item: str) -> None:
    raise StockError(f"no {item} left")


def main() -> None:
    sentry_sdk.init(os.environ["SENTRY_DSN"], release="shop@1.4.2", environment="staging")
    sentry_sdk.set_user({"id": "42", "username": "ada"})
    sentry_sdk.set_tag("region", "eu-central-1")
    sentry_sdk.add_breadcrumb(category="cart", message="added three apples")
    for order in (17, 18, 19):
        try:
            pay(order)
        except PaymentError:
            logger.exception("payment of order %s failed", order)
    for tries in (2, 3):
        logger.error("order %s refused after %d tries", 17 * tries, tries)
    sentry_sdk.capture_message("the cache is cold", level="warning")
    take_from_stock("pears")


if __name__ == "__main__":
    main()
