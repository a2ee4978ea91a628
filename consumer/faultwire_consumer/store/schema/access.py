"""The tables of access: tokens, accounts, sessions, invitations, waits after wrong passwords, the audit."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from faultwire_consumer.store.schema.events import Identity, UtcDateTime, metadata

access_tokens = Table(
    "access_tokens",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False, comment="fwt_ and eight characters: what lists show"),
    Column("hash", LargeBinary, nullable=False, comment="sha256 of the whole token"),
    Column("scopes", Text, nullable=False, comment="a JSON array"),
    Column("services", Text, nullable=False, comment="a JSON array of patterns; empty: every service"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", UtcDateTime, comment="none: it does not expire"),
    Column("last_used_on", UtcDateTime, comment="by day"),
    Column("revoked_at", UtcDateTime),
    Column("public_key", Text, comment="of a DSN, in its normal form; none: a token, which has a secret"),
    Column("project", BigInteger, comment="of a DSN"),
    Column("origins", Text, comment="of a DSN: a JSON array of patterns of pages; empty: all pages"),
    comment="what programs show; the token itself is stored nowhere",
)
Index("ix_access_tokens_hash", access_tokens.c.hash, unique=True)
Index("ix_access_tokens_name", access_tokens.c.name)
Index(
    "ix_access_tokens_public_key",
    access_tokens.c.public_key,
    unique=True,
    postgresql_where=access_tokens.c.revoked_at.is_(None),
    sqlite_where=access_tokens.c.revoked_at.is_(None),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False),
    Column("password_hash", Text, comment="argon2id; none: signs in elsewhere, or was never set"),
    Column("role", Text, nullable=False, comment="viewer, operator or admin"),
    Column("oidc_issuer", Text),
    Column("oidc_subject", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),
    comment="people",
)
Index("ix_accounts_name", accounts.c.name, unique=True)
Index("ix_accounts_oidc_issuer_oidc_subject", accounts.c.oidc_issuer, accounts.c.oidc_subject, unique=True)

sessions = Table(
    "sessions",
    metadata,
    Column("hash", LargeBinary, primary_key=True, comment="sha256 of what the cookie holds"),
    Column("account_id", BigInteger, ForeignKey(accounts.c.id), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("agent", Text, nullable=False, comment="the browser, by its own word"),
    comment="browsers that are signed in",
)
Index("ix_sessions_account_id", sessions.c.account_id)
Index("ix_sessions_expires_at", sessions.c.expires_at)

invitations = Table(
    "invitations",
    metadata,
    Column("hash", LargeBinary, primary_key=True, comment="sha256 of what the link holds"),
    Column("kind", Text, nullable=False, comment="invitation, or the state of a sign-in at a provider"),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column(
        "detail", Text, nullable=False, comment="JSON: what a sign-in at a provider has to come back with"
    ),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    comment="what is used once and soon: links that set a password, sign-ins under way",
)
Index("ix_invitations_expires_at", invitations.c.expires_at)

sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    Column("subject", LargeBinary, primary_key=True, comment="sha256 of the account's name or the address"),
    Column("failures", Integer, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("until", UtcDateTime, nullable=False, comment="no password is looked at before"),
    comment="growing waits after wrong passwords, for all workers",
)
Index("ix_sign_in_failures_last_at", sign_in_failures.c.last_at)

audit_log = Table(
    "audit",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("via", Text, nullable=False, comment="open, token, session, proxy or command"),
    Column("request_id", Text),
    Column("address", Text),
    Column("action", Text, nullable=False, comment="as in token.created"),
    Column("object", Text, nullable=False),
    Column("detail", Text, nullable=False),
    comment="append-only: sign-ins, accounts, tokens, and every act",
)
Index("ix_audit_at", audit_log.c.at)
