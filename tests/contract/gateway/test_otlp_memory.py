"""What a worker's memory is spared that gets no protobuf."""

import subprocess
import sys


def test_protobufs_library_is_loaded_by_the_first_body_that_needs_it() -> None:
    script = (
        "import sys\n"
        "from datetime import datetime, UTC\n"
        "from faultwire_consumer.gateway.otlp.request import read_logs\n"
        "from faultwire_consumer.gateway.otlp.result import OtlpContext\n"
        "from faultwire_consumer.gateway.otlp.kind import BodyKind\n"
        "context = OtlpContext(received_at=datetime.now(UTC), service='a')\n"
        "read_logs(b'{}', BodyKind.JSON, context)\n"
        "print('google.protobuf' in sys.modules)\n"
        "read_logs(b'', BodyKind.PROTOBUF, context)\n"
        "print('google.protobuf' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False", "True"]
