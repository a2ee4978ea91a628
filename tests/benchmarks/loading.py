"""What a client costs its process: ``python loading.py faultwire|sentry_sdk`` prints JSON."""

import json
import sys
import time


def resident_mib() -> float:
    """MiB of this process, by proc_pid_status(5)."""
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123 - pathlib is what is not to be loaded here
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) / 1024


def use_sentry() -> None:
    import sentry_sdk  # noqa: PLC0415 - as below
    from sentry_sdk.transport import Transport  # noqa: PLC0415

    class Dropping(Transport):
        def capture_envelope(self, envelope: object) -> None:
            return

    # Without it, it would load every framework that the tests have installed.
    sentry_sdk.init(dsn="http://key@127.0.0.1/1", transport=Dropping, auto_enabling_integrations=False)
    for _ in range(100):
        try:
            raise ValueError("x")  # noqa: TRY301 - an error that was raised
        except ValueError as error:
            sentry_sdk.capture_exception(error)


def use_faultwire() -> None:
    from tests.benchmarks.confirming import Confirming  # noqa: PLC0415

    from faultwire import SyncErrorManager  # noqa: PLC0415 - as below

    with SyncErrorManager(service="shop", transport=Confirming, collapse_storms=False) as errors:
        for _ in range(100):
            try:
                raise ValueError("x")  # noqa: TRY301 - an error that was raised
            except ValueError as error:
                errors.handle_error(error)
        errors.flush(30)


def main(name: str) -> None:
    before, started = resident_mib(), time.perf_counter()
    if name == "sentry_sdk":
        import sentry_sdk  # noqa: F401, PLC0415 - its import is what is measured
    else:
        import faultwire  # noqa: F401, PLC0415 - as above
    seconds, imported = time.perf_counter() - started, resident_mib() - before
    (use_sentry if name == "sentry_sdk" else use_faultwire)()
    print(json.dumps({"seconds": seconds, "imported_mib": imported, "used_mib": resident_mib() - before}))


if __name__ == "__main__":
    main(sys.argv[1])
