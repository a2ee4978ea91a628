"""Templates of operators: what they may say, and that none of them goes on for ever."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from tests.tools.notification import NOON, digest, notification, notified

from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.message import message_of
from faultwire_consumer.notify.notification import Notification
from faultwire_consumer.notify.sender import Outcome, Sent
from faultwire_consumer.notify.senders.worded import WordedSender, template_faults
from faultwire_consumer.notify.wording.built_in import FILES
from faultwire_consumer.notify.wording.own_templates import OwnTemplates
from faultwire_consumer.notify.wording.sample import sample_notifications
from faultwire_consumer.notify.wording.template import (
    PIECES_MAX,
    SOURCE_BYTES,
    STEPS_MAX,
    OwnTemplate,
    TemplateFaultError,
)
from faultwire_consumer.notify.wording.values import values_of

pytestmark = pytest.mark.may_block("templates are files, read before a worker's loop turns")

VALUES: dict[str, Any] = {
    "severity": "high",
    "incidents": [
        {"id": "INC-1", "title": "a < b", "count": 1200},
        {"id": "INC-2", "title": "c", "count": 1},
    ],
    "numbers": list(range(1000)),
    "nothing": None,
}


def rendered(source: str, *, html: bool = False, maximum: int = 10_000) -> str:
    return OwnTemplate("t", source, html=html).render(VALUES, maximum=maximum)


SAID = [
    ("{{ severity|upper }}!", "HIGH!"),
    ("{% for one in incidents %}{{ loop.index }}:{{ one.id }} {% endfor %}", "1:INC-1 2:INC-2 "),
    ("{{ incidents[0].count|number }} {{ incidents[1].count|counted('event') }}", "1,200 1 event"),
    ("{% if severity in ('critical', 'high') and incidents|length > 1 %}wake{% endif %}", "wake"),
    ("{% set first = incidents|first %}{{ first.title }}", "a < b"),
    ("{{ incidents[0].title[:1] ~ '.' }}", "a."),
    ("{{ 'no' if nothing is none else 'yes' }}", "no"),
    ("{% for n in numbers if n > 997 %}{{ n }}{% if not loop.last %}, {% endif %}{% endfor %}", "998, 999"),
    ("{{ numbers[:3]|join(' ') }}", "0 1 2"),
]


@pytest.mark.parametrize(("source", "text"), SAID)
def test_a_template_says_what_a_notification_has(source: str, text: str) -> None:
    assert rendered(source) == text


REFUSED = [
    ("{{ range(1000000000) }}", "a call, such as range(), is not"),
    ("{% for a in range(9) %}{% endfor %}", "a call, such as range(), is not"),
    ("{% for a in 'abc' %}{% endfor %}", "goes over a list"),
    ("{% for a in [1, 2, 3] %}{% endfor %}", "goes over what a notification has"),
    ("{% for a in incidents recursive %}{{ loop(a) }}{% endfor %}", "not for templates"),
    ("{{ 'a' * 1000000000 }}", "* is not for templates"),
    ("{{ 9 ** 999999999 }}", "** is not for templates"),
    ("{{ '%999999999d' % 1 }}", "% is not for templates"),
    ("{{ severity + severity }}", "+ is not for templates"),
    ("{{ '%999999999d'|format(1) }}", "no filter format"),
    ("{{ severity|center(999999999) }}", "no filter center"),
    ("{{ severity|replace('', severity) }}", "no filter replace"),
    ("{{ severity|safe }}", "no filter safe"),
    ("{{ severity|join(severity) }}", "join is for a list"),
    ("{% set s = severity ~ severity %}", "set cannot join texts"),
    ("{% set s %}{{ severity }}{% endset %}", "a set of more than a value"),
    ("{% with s = severity %}{% endwith %}", "with is not for templates"),
    ("{% macro a() %}{% endmacro %}", "a macro is not"),
    ("{% include '/etc/passwd' %}", "include is not"),
    ("{% extends 'x' %}", "extends is not"),
    ("{% import 'x' as y %}", "import is not"),
    ("{{ severity.__class__ }}", "does not begin with _"),
    ("{{ severity['__class__'] }}", "unsafe"),
    ("{{ __name__ }}", "does not begin with _"),
    ("{{ severty }}", "'severty' is undefined"),
    ("{{ incidents[0].titel }}", "no attribute 'titel'"),
    ("{% for a in numbers %}{% for b in numbers %}{% endfor %}{% endfor %}", "more than 50,000 steps"),
    ("{{ 1 / 0 }}", "division by zero"),
    ("{% if severity %}", "Unexpected end"),
    ("{{ severity", "unexpected"),
    ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "nested too deeply"),
    ("x" * (SOURCE_BYTES + 1), "longer than"),
]


@pytest.mark.parametrize(("source", "why"), REFUSED)
def test_what_could_go_on_for_ever_or_reach_further_is_refused_with_its_line(source: str, why: str) -> None:
    with pytest.raises(TemplateFaultError) as caught:
        rendered(source)
    assert why in str(caught.value)
    assert str(caught.value).startswith("t:1: ")
    assert str(caught.value).isprintable()


def test_the_line_of_a_fault_is_the_templates() -> None:
    for source, line in (
        ("\n\n{{ range(3) }}", 3),
        ("a\n{{ severty }}", 2),
        ("{% if severity %}\n\n{% x %}", 3),
    ):
        with pytest.raises(TemplateFaultError) as caught:
            rendered(source)
        assert caught.value.line == line


def test_a_rendering_is_cut_off_at_its_bounds() -> None:
    bodies = {
        "1234567890" * 2: f"it writes more than 10,000 characters, or {PIECES_MAX:,} pieces",
        "{{ a }}" * 5: f"it writes more than 10,000 characters, or {PIECES_MAX:,} pieces",
        "{{ a }}" * 60: f"its loops go on for more than {STEPS_MAX:,} steps",
        "{% if a|string %}{% endif %}".replace("string", "upper") * 10: "steps",
    }
    for body, why in bodies.items():
        with pytest.raises(TemplateFaultError, match=why):
            rendered(f"{{% for a in numbers %}}{body}{{% endfor %}}")


@given(source=st.text(st.sampled_from("{}%|()[]'\".~+*-/ \nabforinsetendfif1_"), max_size=200))
def test_whatever_stands_in_a_template_is_rendered_or_is_its_fault(source: str) -> None:
    with suppress(TemplateFaultError):
        assert isinstance(rendered(source), str)


def test_a_page_escapes_what_it_is_given() -> None:
    assert rendered("<i>{{ incidents[0].title }}</i>", html=True) == "<i>a &lt; b</i>"
    assert rendered("{{ incidents[0].title|escape|upper }}", html=True) == "A &LT; B"


class Kept:
    """A sender that keeps what it is given."""

    name = "team"

    def __init__(self) -> None:
        self.sent: list[Notification] = []

    async def send(self, notification: Notification) -> Outcome:
        self.sent.append(notification)
        return Sent()

    async def aclose(self) -> None:
        pass


def write(folder: Path, **texts: str) -> OwnTemplates:
    for name, text in texts.items():
        (folder / (f"{name}.html" if name == "html" else f"{name}.txt")).write_text(text, encoding="utf-8")
    return OwnTemplates(str(folder), "team")


async def test_a_receivers_own_templates_word_what_it_is_sent(tmp_path: Path) -> None:
    kept = Kept()
    own = write(
        tmp_path,
        subject="{{ severity }}:\n{{ incident_count|counted('incident') }}",
        text="Rule {{ rule }}\n",
    )
    assert own.faults == ()
    await WordedSender(kept, own).send(notification())
    (sent,) = kept.sent
    message = message_of(sent)
    assert (message.subject, message.text) == ("critical: 1 incident", "Rule critical at once\n")
    assert sent.wording.html is None, "what the folder lacks stays built-in"


async def test_a_broken_template_leaves_the_built_in_words_and_is_told_of_once(
    tmp_path: Path,
) -> None:
    metrics, kept = Metrics(), Kept()
    own = write(tmp_path, subject="{{ oops }}", text="Rule {{ rule }}\n")
    with capture_logs() as logged:
        sender = WordedSender(kept, own, metrics)
        for _ in range(3):
            await sender.send(notification())
    assert message_of(kept.sent[0]).subject == message_of(notification()).subject
    assert message_of(kept.sent[0]).text == "Rule critical at once\n"
    assert [line["event"] for line in logged] == ["notification.template_failed"]
    assert template_faults({"team": sender, "other": kept}) == {
        "team": f"{tmp_path}/subject.txt:1: 'oops' is undefined"
    }
    assert metrics.registry.get_sample_value("faultwire_templates_failed_total", {"receiver": "team"}) == 1


async def test_a_template_that_fails_on_one_notification_writes_the_others(tmp_path: Path) -> None:
    metrics, kept = Metrics(), Kept()
    own = write(tmp_path, text="{% if incident_count > 5 %}{{ oops }}{% endif %}Fine.")
    sender = WordedSender(kept, own, metrics)
    assert own.faults == ()
    many = notification(*[notified(number) for number in range(9)])
    for one in (many, notification(), many):
        await sender.send(one)
    assert [one.wording.text for one in kept.sent] == [None, "Fine.", None]
    assert len(sender.faults) == 1
    assert metrics.registry.get_sample_value("faultwire_templates_failed_total", {"receiver": "team"}) == 2


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        ({}, "the folder has none of subject.txt, text.txt, html.html"),
        ({"text": " \n"}, "it writes nothing"),
        ({"html": "<p>{{ incidents[0].id }}</p>"}, "no element 0"),
    ],
)
def test_templates_are_tried_on_every_kind_of_notification(
    tmp_path: Path, texts: dict[str, str], why: str
) -> None:
    (fault,) = write(tmp_path, **texts).faults
    assert why in str(fault)


def test_a_template_that_is_not_text_is_a_fault_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes(b"\xff\xfe")
    (fault,) = OwnTemplates(str(tmp_path), "team").faults
    assert str(fault) == f"{tmp_path}/text.txt:1: it is not UTF-8"
    (fault,) = OwnTemplates(str(tmp_path / "nowhere"), "team").faults
    assert "the folder has none of" in str(fault)


def test_a_template_sees_no_secret_and_no_object() -> None:
    def plain(value: Any) -> bool:
        if isinstance(value, dict):
            return all(isinstance(name, str) and plain(one) for name, one in value.items())
        if isinstance(value, list):
            return all(map(plain, value))
        return value is None or type(value) in (str, int, bool)

    for one in (*sample_notifications("team", at=NOON), digest(notified()), notification()):
        assert plain(values_of(one))
    assert set(FILES) == {"subject.txt", "text.txt", "html.html"}
