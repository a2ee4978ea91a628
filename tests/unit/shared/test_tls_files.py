"""Files of TLS in settings and behind an address's ``?``."""

import pytest

from faultwire_shared.tls.files import NO_FILES, TlsFiles, secured_of, with_files

OURS = TlsFiles("/etc/our ca.pem", "/c&1.crt", "/c.key")


@pytest.mark.parametrize("url", ["amqps://me:a%3Fb@one/v%2Fhost", "https://errors.example.com/faultwire"])
def test_an_address_carries_the_files_of_settings_and_gives_them_back(url: str) -> None:
    secured = secured_of(with_files(url, OURS))
    assert secured == (url, OURS, True)


def test_each_node_of_a_cluster_gets_the_files() -> None:
    assert with_files("amqps://me:pw@one,two/x", TlsFiles("/ca")).split(",") == [
        "amqps://me:pw@one/x?cafile=%2Fca",
        "amqps://me:pw@two/x?cafile=%2Fca",
    ]


def test_an_address_without_files_stays_as_it_was() -> None:
    assert with_files("amqp://one,two", NO_FILES) == "amqp://one,two"


@pytest.mark.parametrize(
    ("query", "address", "files", "verifies"),
    [
        ("cacertfile=/ca&verify=verify_peer", "amqps://h/", TlsFiles("/ca"), True),
        ("cafile=/ca&certfile=/c&keyfile=/k", "amqps://h/", TlsFiles("/ca", "/c", "/k"), True),
        ("capath=/cas", "amqps://h/", TlsFiles("/cas"), True),
        ("verify=verify_none", "amqps://h/", NO_FILES, False),
        ("no_verify_ssl=1", "amqps://h/", NO_FILES, False),
        ("auth_mechanism=EXTERNAL&heartbeat=30", "amqps://h/?auth=external", NO_FILES, True),
        ("connection_attempts=3", "amqps://h/", NO_FILES, True),
    ],
)
def test_words_of_rabbitmq_and_of_others_are_understood(
    query: str, address: str, files: TlsFiles, *, verifies: bool
) -> None:
    assert secured_of(f"amqps://h/?{query}") == (address, files, verifies)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("amqps://h/?server_name_indication=x", "'server_name_indication' is no word that faultwire knows"),
        ("amqps://h/?verify=no", "verify cannot be 'no'; write verify_peer or verify_none"),
        ("amqps://h/?auth=kerberos", "auth cannot be 'kerberos'"),
        ("amqp://h/?cafile=/ca", "is not encrypted: write amqps://"),
    ],
)
def test_a_word_that_cannot_be_followed_is_refused_by_its_name(url: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        secured_of(url)


@pytest.mark.parametrize(
    ("url", "files", "told"),
    [
        ("amqp://me:hunter2@h/", TlsFiles("/ca"), "is not encrypted: files of TLS want amqps"),
        ("http://h/", TlsFiles("/ca"), "is not encrypted"),
        ("amqps://me:hunter2@h/?cacertfile=/other", TlsFiles("/ca"), "say it once"),
        ("amqps://h/", TlsFiles(None, None, "/k"), "broker_key_file is the key of a certificate"),
    ],
)
def test_files_that_would_protect_nothing_are_refused(url: str, files: TlsFiles, told: str) -> None:
    with pytest.raises(ValueError, match=told) as refused:
        with_files(url, files)
    assert "hunter2" not in str(refused.value)
