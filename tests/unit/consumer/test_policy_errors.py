"""Wrong policies: each is refused with its line, the reason and what was probably meant, several at once."""

from pathlib import Path

import pytest

from faultwire_consumer.domain.policy.failure import PolicyError
from faultwire_consumer.domain.policy.text import WRONG_MAX, parse_policy
from faultwire_consumer.notify.policy_file import PolicyFileError, read_policy, shipped_text

LOG = '[receivers.log]\ntype = "log"\n'
RULE = '[rules.a]\non = "new"\nsend = "now"\n'
HOOK = "[receivers.a]\ntype='webhook'\nurl='https://chat.example'\n"

pytestmark = pytest.mark.may_block("a policy is read before a worker's loop turns")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("x =", 1, "not TOML"),
        (LOG + "a = 1\nb = = 2", 4, "not TOML"),
        ("digest_zon = 'UTC'\n" + LOG, 1, "unknown key 'digest_zon'; did you mean digest_zone?"),
        ("digest_hour = 24\n" + LOG, 1, "24 is not an hour from 0 to 23"),
        ("digest_hour = true\n" + LOG, 1, "an hour from 0 to 23"),
        (LOG + "[rules.a]\ndigest_zone = 'Mars'", 4, "'Mars' is not a zone of the IANA database"),
        ("growth = [0]\n" + LOG, 1, "a list of counts above 1"),
        ("", 1, "receivers is missing"),
        ("[receivers]\nlog = 1", 2, "log is a table"),
        ('[receivers."a b"]\ntype = "log"', 1, "a name has letters"),
        ("[receivers.a]\n\ntyp = 'log'", 3, "unknown key 'typ'; did you mean type?"),
        ("[receivers.a]\ntype = 'logs'", 2, "did you mean log?"),
        ("[receivers.a]\ntype = 'webhook'", 1, "url is missing"),
        ("[receivers.a]\ntype = 'log'\nurl = 'x'", 3, "unknown key 'url'"),
        (LOG + "[rules.a]\nseverity = ['hgih']\non = 'new'\nsend = 'now'", 4, "did you mean high?"),
        (LOG + "[rules.a]\non = ['newly']\nsend = 'now'", 4, "did you mean new?"),
        (LOG + RULE + "receivers = ['lgo']", 6, "not one of log; did you mean log?"),
        (LOG + RULE + "recievers = ['log']", 6, "unknown key 'recievers'; did you mean receivers?"),
        (LOG + RULE + "remind_every = '5s'", 6, "a duration from 1m to 1w"),
        (LOG + RULE + "auto_resolve_days = 0", 6, "a number of days from 1 to 366"),
        (LOG + RULE + "environment = 'production'\nauto_resolve_days = 7", 7, "service or code alone"),
        (LOG + "[rules.a]\nsend = 'now'", 3, "on is missing"),
        (LOG + "[rules.a]\non = 'new'", 3, "send is missing"),
        (LOG + "[rules.a]\non = 'new'\nsend = 'soon'", 5, "'soon' is not"),
        (LOG + "[rules.a]\non = 'continued'\nsend = 'now'", 4, "goes into a digest only"),
        (LOG + "[rules.a]\non = 'growth'\nsend = 'daily'", 4, "a digest shows every count"),
        (LOG + "[rules.a]\nevents = 5\nsend = 'now'", 3, "window is missing"),
        (LOG + RULE + "window = '5m'", 6, "window needs events"),
        (LOG + "[rules.a]\nevents = 5\nwindow = '5m'\nsend = 'daily'", 6, "a threshold is sent now"),
        (
            LOG + "[rules.a]\nnew_incidents = 5\nwindow = '5m'\nper = 'incident'\nsend = 'now'",
            6,
            "an incident is new once",
        ),
        (LOG + "[rules.a]\non = 'new'\nsend = 'daily'\nremind_every = '1h'", 6, "reminders belong to"),
        (LOG + "[rules]\n", 3, "no rules"),
        ("[reciever.log]\ntype='log'", 1, "unknown key 'reciever'; did you mean receivers?"),
        ("receivers = 3", 1, "receivers is a table, as in [receivers]"),
        ("[receivers.log]\ntype = 3", 2, "3 is not one of"),
        ("[receivers.log]\ntype='Log'", 2, "did you mean log?"),
        ("[receivers.log]\n", 1, "type is missing: one of"),
        ("[receivers]\nlog = {type='log', tpe=3}", 2, "unknown key 'tpe'; did you mean type?"),
        ("[receivers.log\ntype='log'", 1, "not TOML: Expected ']'"),
        (LOG + "[rule.a]\non='new'", 3, "unknown key 'rule'; did you mean rules?"),
        (LOG + "[[rules]]\non='new'", 3, "rules is a table"),
        (LOG + "growth = [10]", 3, "growth belongs to the file: write it above the first [table]"),
        (LOG + RULE + "send = 'now'\n", 6, "not TOML: Cannot overwrite a value"),
        (LOG + RULE + "[rules.a]\non='new'", 6, "Cannot declare ('rules', 'a') twice"),
        (LOG + "[rules.a]\non='new'\nsend=\"now\n", 5, "not TOML: Illegal character"),
        (LOG + "[rules.a]\non=['new'\nsend='now'", 5, "not TOML: Unclosed array"),
        (LOG + RULE + "sevrity='high'", 6, "unknown key 'sevrity'; did you mean severity?"),
        (
            LOG + RULE + "severity='High'",
            6,
            "'High' is not one of low, medium, high, critical; did you mean high?",
        ),
        (LOG + RULE + "category='systm'", 6, "did you mean system?"),
        (LOG + RULE + "service=5", 6, "5 is not a text, or a list of texts"),
        (LOG + RULE + "tags='x'", 6, "tags is a table, as in [rules.a.tags]"),
        (LOG + RULE + "tags={region=5}", 6, "rules.a.tags.region: 5 is not a text"),
        (LOG + "[rules.a]\non='new'\nsend='dayly'", 5, "did you mean daily?"),
        (LOG + "[rules.a]\non='new'\nsend='within 2h'", 5, "a duration from 10s to 1h"),
        (LOG + "[rules.a]\non=[]\nsend='now'", 4, "a text, or a list of texts"),
        (LOG + "[rules.a]\non=[\n'new',\n'regresed']\nsend='now'", 4, "'regresed' is not one of new,"),
        (LOG + "[rules.a]\nevents=0\nwindow='5m'\nsend='now'", 4, "a number of events, 1 or more"),
        (LOG + "[rules.a]\nevents=5\nwindow='5 minutes'\nsend='now'", 5, "a duration from 1m to 1w"),
        (LOG + "[rules.a]\nevents=5\nwindw='5m'\nsend='now'", 5, "unknown key 'windw'; did you mean window?"),
        (LOG + "[rules.a]\nevents=5\nnew_incidents=3\nwindow='5m'\nsend='now'", 5, "not both"),
        (LOG + "[rules.a]\nevents=5\nwindow='5m'\nper='services'\nsend='now'", 6, "did you mean service?"),
        (LOG + RULE + "receivers=['log', 'owner']", 6, "'owner' is not one of log"),
        (LOG + RULE + "owner_first='yes'", 6, "'yes' is not true or false"),
        (LOG + "[rules.a]\non='new'\nsend='daily'\nowner_first=true", 6, "a digest is its receivers' own"),
        (LOG + "quiet_hours='22-7'", 3, "'22' is not a day"),
        (LOG + "quiet_hours=['sat', 'mon-fri 22:00-07:00 UTC']", 3, "a zone is said by quiet_zone"),
        (LOG + "quiet_hours=['mon-fry 22:00-07:00']", 3, "'fry' is not a day"),
        (LOG + "quiet_hours=['mon-fri 22-07']", 3, "22-07 is not a span of the clock"),
        (LOG + "quiet_hours=['mon-fri', 'sat-sun']", 3, "nothing but what is critical would ever be sent"),
        (LOG + "quiet_hours='sat-sun'\nquiet_zone='Europe/Berlim'", 4, 'as in "Europe/Berlin"'),
        (LOG + "quiet_zone='UTC'", 3, "quiet_zone needs quiet_hours"),
        (LOG + "quiet_hour='sat-sun'", 3, "did you mean quiet_hours?"),
        (LOG + "digest_weekday='friyay'", 3, "did you mean friday?"),
        (LOG + "digest_hour=25", 3, "an hour from 0 to 23"),
        (LOG + "owners=3", 3, "3 is not a text, or a list of texts"),
        (HOOK + "allow_private_addresses='10.0.0.1/8'", 4, 'did you mean "10.0.0.0/8"?'),
        (HOOK + "allow_private_addresses=['10.0.0.0/33']", 4, "'10.0.0.0/33' is not a network"),
        (HOOK + "allow_private_addresses=[10]", 4, "10 is not a network as a text"),
        (HOOK + "allow_private_addresses=1", 4, "1 is not true, false, or a list of networks"),
        (HOOK + "allow_private_adresses=true", 4, "did you mean allow_private_addresses?"),
        (HOOK + "secret='whsec_x'\nsecret_file='/x'", 5, "secret or secret_file, not both"),
        (
            "[receivers.a]\ntype='webhook'\nurl='ftp://x'",
            3,
            "the value is not an http:// or https:// address",
        ),
        ("growth=10\n" + LOG, 1, "a list of counts above 1"),
        ("digest_hour = 9:00\n" + LOG, 1, "not TOML: Expected newline"),
        (LOG + "[rules.\"a b\"]\non='new'", 3, "a name has letters"),
    ],
)
def test_what_cannot_be_is_told_with_its_line_and_what_would_be_right(
    text: str, line: int, said: str
) -> None:
    with pytest.raises(PolicyError) as refused:
        parse_policy(text, shipped=shipped_text())
    assert said in str(refused.value)
    assert refused.value.line == line


def test_everything_that_is_wrong_is_told_at_once_by_line(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(
        f"digest_zon = 'UTC'\n{LOG}tpe = 3\n{RULE}sevrity = 'high'\n[rules.b]\non = 'new'\nsend = 'nwo'"
    )
    with pytest.raises(PolicyFileError) as refused:
        read_policy(path)
    assert [line.removeprefix(f"{path}:").split(":")[0] for line in refused.value.lines] == [
        "1",
        "4",
        "8",
        "11",
    ]
    assert str(refused.value) == f"{refused.value.lines[0]} (and 3 more)"


def test_no_file_has_more_errors_than_anybody_reads() -> None:
    rules = "".join(f"[rules.r{number}]\non = 'new'\nsend = 'soon'\n" for number in range(100))
    with pytest.raises(PolicyError) as refused:
        parse_policy(LOG + rules)
    assert 1 + len(refused.value.others) == WRONG_MAX


def test_a_file_beyond_reading_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(PolicyFileError, match="more than 1,048,576 bytes"):
        read_policy(path)
