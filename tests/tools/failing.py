"""The faults of a service that has several, caught as an ``except`` has them."""


class StockError(Exception):
    """One of the faults of a service that has several."""


def fail(number: int) -> None:
    """Fail in one of five ways, each with a text of its own."""
    match number % 5:
        case 0:
            raise StockError(f"order {number} wants more than there is")
        case 1:
            raise KeyError(f"sku-{number}")
        case 2:
            raise ConnectionRefusedError(111, "refused")
        case 3:
            raise TimeoutError(f"no answer within {number} ms")
        case _:
            raise ValueError(f"bad amount {number}")


def caught(number: int) -> Exception:
    """The error with its traceback, as an ``except`` has it."""
    try:
        fail(number)
    except Exception as error:  # noqa: BLE001 - whatever failed is what is handed over
        return error
    raise AssertionError("fail() fails")
