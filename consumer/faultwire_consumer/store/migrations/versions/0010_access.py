"""Creates what access needs: tokens, accounts, sessions, invitations, waits after wrong passwords, the audit.

Frozen: later changes get migrations of their own, whatever ``store/schema`` says by then.
"""

import sqlalchemy as sa
from alembic import op

from faultwire_consumer.store.schema.events import SCHEMA, UtcDateTime

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Nobody has an account yet, and no program a token."""
    schema = None if op.get_bind().dialect.name == "sqlite" else SCHEMA
    identity = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    accounts = "accounts.id" if schema is None else f"{schema}.accounts.id"
    op.create_table(
        "access_tokens",
        sa.Column("id", identity, primary_key=True, autoincrement=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("prefix", sa.Text, nullable=False, comment="fwt_ and eight characters: what lists show"),
        sa.Column("hash", sa.LargeBinary, nullable=False, comment="sha256 of the whole token"),
        sa.Column("scopes", sa.Text, nullable=False, comment="a JSON array"),
        sa.Column(
            "services", sa.Text, nullable=False, comment="a JSON array of patterns; empty: every service"
        ),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("expires_at", UtcDateTime, comment="none: it does not expire"),
        sa.Column("last_used_on", UtcDateTime, comment="by day"),
        sa.Column("revoked_at", UtcDateTime),
        schema=schema,
        comment="what programs show; the token itself is stored nowhere",
    )
    op.create_index("ix_access_tokens_hash", "access_tokens", ["hash"], schema=schema, unique=True)
    op.create_index("ix_access_tokens_name", "access_tokens", ["name"], schema=schema)
    op.create_table(
        "accounts",
        sa.Column("id", identity, primary_key=True, autoincrement=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text, comment="argon2id; none: signs in elsewhere, or was never set"),
        sa.Column("role", sa.Text, nullable=False, comment="viewer, operator or admin"),
        sa.Column("oidc_issuer", sa.Text),
        sa.Column("oidc_subject", sa.Text),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("disabled_at", UtcDateTime),
        schema=schema,
        comment="people",
    )
    op.create_index("ix_accounts_name", "accounts", ["name"], schema=schema, unique=True)
    op.create_index(
        "ix_accounts_oidc_issuer_oidc_subject",
        "accounts",
        ["oidc_issuer", "oidc_subject"],
        schema=schema,
        unique=True,
    )
    op.create_table(
        "sessions",
        sa.Column("hash", sa.LargeBinary, primary_key=True, comment="sha256 of what the cookie holds"),
        sa.Column("account_id", sa.BigInteger, sa.ForeignKey(accounts), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("agent", sa.Text, nullable=False, comment="the browser, by its own word"),
        schema=schema,
        comment="browsers that are signed in",
    )
    op.create_index("ix_sessions_account_id", "sessions", ["account_id"], schema=schema)
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"], schema=schema)
    op.create_table(
        "invitations",
        sa.Column("hash", sa.LargeBinary, primary_key=True, comment="sha256 of what the link holds"),
        sa.Column(
            "kind", sa.Text, nullable=False, comment="invitation, or the state of a sign-in at a provider"
        ),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column(
            "detail",
            sa.Text,
            nullable=False,
            comment="JSON: what a sign-in at a provider has to come back with",
        ),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        schema=schema,
        comment="what is used once and soon: links that set a password, sign-ins under way",
    )
    op.create_index("ix_invitations_expires_at", "invitations", ["expires_at"], schema=schema)
    op.create_table(
        "sign_in_failures",
        sa.Column(
            "subject", sa.LargeBinary, primary_key=True, comment="sha256 of the account's name or the address"
        ),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("last_at", UtcDateTime, nullable=False),
        sa.Column("until", UtcDateTime, nullable=False, comment="no password is looked at before"),
        schema=schema,
        comment="growing waits after wrong passwords, for all workers",
    )
    op.create_index("ix_sign_in_failures_last_at", "sign_in_failures", ["last_at"], schema=schema)
    op.create_table(
        "audit",
        sa.Column("id", identity, primary_key=True, autoincrement=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("via", sa.Text, nullable=False, comment="open, token, session, proxy or command"),
        sa.Column("request_id", sa.Text),
        sa.Column("address", sa.Text),
        sa.Column("action", sa.Text, nullable=False, comment="as in token.created"),
        sa.Column("object", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        schema=schema,
        comment="append-only: sign-ins, accounts, tokens, and every act",
    )
    token = sa.Column(
        "token", sa.Text, comment="who may speak by this id, as token:billing; none: it came without one"
    )
    op.add_column("producers", token, schema=schema)
    op.create_index("ix_audit_at", "audit", ["at"], schema=schema)


def downgrade() -> None:
    """Refuse: a database without its accounts would let everybody in."""
    raise NotImplementedError("a database is restored from its backup, not taken back a version")
