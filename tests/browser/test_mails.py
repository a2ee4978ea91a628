"""Mails as a mail program shows them, on narrow and wide screens, by day and by night."""

from email import message_from_bytes, policy
from typing import Final

import pytest
from playwright.async_api import Browser
from tests.browser.judging import CONTRAST, Watch, find_barriers, find_invalid, find_overflow
from tests.tools.notification import NOON, digest, notification, notified

from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.notify.notification import Notification
from faultwire_consumer.notify.wording.mail import Envelope, mail_of
from faultwire_consumer.notify.wording.sample import sample_notifications
from faultwire_shared.event import ErrorSeverity

WIDTHS: Final = (320, 600)
HOSTILE: Final = "<img src=https://planted.example/x onerror=alert(1)>" + "x" * 400


def html_of(notification: Notification) -> str:
    """The page in the mail that is sent."""
    envelope = Envelope(sender="errors@shop.example", sender_name="", to=("team@shop.example",))
    mail = message_from_bytes(mail_of(notification, envelope, now=NOON), policy=policy.default)
    part = mail.get_body(("html",))
    assert part is not None
    return str(part.get_content())


def told() -> dict[str, Notification]:
    samples = {f"sample-{number}": one for number, one in enumerate(sample_notifications("team", at=NOON))}
    hostile = [notified(number, title=HOSTILE, service=HOSTILE, culprit=HOSTILE) for number in range(1, 3)]
    of_each = [notified(number, severity=severity) for number, severity in enumerate(ErrorSeverity, start=1)]
    storm = {"kind": NotificationKind.SUMMARY, "reason": NotificationReason.STORM}
    return samples | {
        "hostile": notification(hostile[0], frames=(HOSTILE,) * 5),
        "hostile-digest": digest(*hostile),
        "many": notification(*of_each, *hostile, **storm),
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_mail_can_be_read_on_every_screen_and_fetches_nothing(chromium: Browser, scheme: str) -> None:
    found: list[str] = []
    for width in WIDTHS:
        context = await chromium.new_context(
            viewport={"width": width, "height": 800},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        page = await context.new_page()
        watch = Watch(page, "about:")
        for name, one in told().items():
            await page.set_content(html_of(one))
            said = [
                *await find_overflow(page),
                *await find_barriers(page, CONTRAST),
                *await find_barriers(page, but=("region", "landmark-one-main")),
                *watch.take(),
            ]
            found += [f"{name} {width} {scheme}: {what}" for what in said]
        await context.close()
    assert found == [], "\n".join(found[:20])


def test_a_mail_is_valid_html() -> None:
    found = find_invalid({name: html_of(one) for name, one in told().items()})
    obsolete = ("attribute on the", "element is obsolete", "is obsolete")
    assert [one for one in found if not any(words in one for words in obsolete)] == [], "tables lay mails out"
