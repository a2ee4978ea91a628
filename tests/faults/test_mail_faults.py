"""Whatever dies between the claim and the mark: a mail comes, and a repetition is the same to a mailbox."""

from pathlib import Path
from typing import Final

import pytest
from tests.faults.test_alert_faults import kill_worker_at, take_over
from tests.tools.mail_server import MailServer, mail_server

from faultwire_consumer.notify.dispatcher import LEASE_SECONDS
from faultwire_shared.failpoint import FAILPOINTS

KEY: Final = "critical:INC-1:1:new:hook"
HAD: Final = {"dispatcher.claimed": 0, "dispatcher.sending": 0, "dispatcher.sent": 1, "dispatcher.marked": 1}

pytestmark = [
    pytest.mark.may_block("starts processes"),
    pytest.mark.timeout(240),
    pytest.mark.e2e,
    pytest.mark.line(18),
]


class Mailbox:
    """What came by mail, as the faults of notifications ask for it."""

    def __init__(self, server: MailServer) -> None:
        self._server = server
        self.policy: str = (
            '[receivers.hook]\ntype = "email"\nhost = "127.0.0.1"\nsecurity = "none"\n'
            f"port = {server.port}\nallow_private_addresses = true\n"
            'from = "errors@example.com"\nto = "ann@example.com"\n'
        )

    @property
    def keys(self) -> list[str]:
        return [str(mail["X-Faultwire-Key"]) for mail in self._server.mails]

    @property
    def ids(self) -> set[str]:
        return {str(mail["Message-ID"]) for mail in self._server.mails}


@pytest.mark.parametrize("name", sorted(name for name in FAILPOINTS if name.startswith("dispatcher.")))
async def test_a_crash_costs_no_mail_and_a_repetition_has_the_same_message_id(
    name: str, tmp_path: Path
) -> None:
    async with mail_server() as server:
        mailbox = Mailbox(server)
        url = await kill_worker_at(name, mailbox.policy, tmp_path)
        assert mailbox.keys == [KEY] * HAD[name]
        again = await take_over(url, mailbox, mailbox.policy, after=LEASE_SECONDS + 5)
        assert again == ([] if name == "dispatcher.marked" else [KEY])
        assert len(mailbox.ids) == 1
