"""The tables. A change here needs a migration in migrations/versions; a test compares the two.

Times are microseconds since 1970, UTC. Everything that belongs to a project goes when the project goes.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

# SQLite knows an automatic key only as INTEGER; keys are never used twice, so that a listing can go by them.
_Key = BigInteger().with_variant(Integer, "sqlite")


def _key() -> Column[int]:
    return Column("key", _Key, primary_key=True, autoincrement=True)


def _owner(table: str, *, primary_key: bool = False) -> Column[int]:
    return Column(
        f"{table}_key", _Key, ForeignKey(f"{table}s.key", ondelete="CASCADE"), nullable=False, primary_key=primary_key
    )


# One row: which database this is. generation and clean are of SQLite: see dialects/marker.py.
store = Table(
    "store",
    metadata,
    Column("key", Integer, primary_key=True, autoincrement=False),
    Column("store_id", String(32), nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("clean", Boolean, nullable=False),
)

# Servers that share the database. One that lives counts up.
replicas = Table(
    "replicas",
    metadata,
    Column("replica_id", String(32), primary_key=True),
    Column("beat", BigInteger, nullable=False),
)

projects = Table(
    "projects",
    metadata,
    _key(),
    Column("project_id", String(63), nullable=False, unique=True),
    Column("classes", JSON, nullable=False),
    # Whether items have ids; not set before the first upload decides it.
    Column("named_items", Boolean),
    Column("item_count", BigInteger, nullable=False, default=0),
    Column("votes_version", BigInteger, nullable=False, default=0),
    Column("create_time", BigInteger, nullable=False),
    # Nobody sees it; what it holds is deleted bit by bit: see trash.py.
    Column("trash", Boolean, nullable=False, default=False, server_default="0"),
    # Who places new items behind the last one; empty where nobody does: see placing.py.
    Column("placer", String(32), nullable=False, default="", server_default=""),
    # What LabelSpace.to_json gives; not set where labels are classes.
    Column("label_space", JSON(none_as_null=True)),
    # Settings of the fit of each new version of the votes; not set where no fit follows: see following.py.
    Column("follow", JSON(none_as_null=True)),
    sqlite_autoincrement=True,
)

# The log of the votes: each version is a finished upload or a source deleted.
versions = Table(
    "versions",
    metadata,
    _owner("project", primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("item_count", BigInteger, nullable=False),
    Column("create_time", BigInteger, nullable=False),
)

# A source that is deleted and uploaded again is a new row.
sources = Table(
    "sources",
    metadata,
    _key(),
    _owner("project"),
    Column("display_name", String(255), nullable=False),
    Column("first_version", BigInteger, nullable=False),
    Column("last_version", BigInteger, nullable=False),
    # 0 while it lives, so that the constraint below forbids two living sources of one name.
    Column("deleted_version", BigInteger, nullable=False, default=0),
    Column("create_time", BigInteger, nullable=False),
    UniqueConstraint("project_key", "display_name", "deleted_version"),
    sqlite_autoincrement=True,
)

items = Table(
    "items",
    metadata,
    _owner("project", primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("item_id", String(255), nullable=False),
    UniqueConstraint("project_key", "item_id"),
    sqlite_with_rowid=False,
)

uploads = Table(
    "uploads",
    metadata,
    _key(),
    _owner("project"),
    Column("upload_id", String(36), nullable=False),
    Column("source_names", JSON, nullable=False),
    Column("content_digest", LargeBinary, nullable=False),
    # The stream that may write: opening the upload again takes it over.
    Column("writer", String(32), nullable=False),
    # Not set before the first chunk decides it.
    Column("named_items", Boolean),
    Column("committed_rows", BigInteger, nullable=False, default=0),
    # 0 while it is not finished. Then source_keys holds the columns of its chunks.
    Column("version", BigInteger, nullable=False, default=0),
    Column("source_keys", JSON, nullable=False, default=list),
    Column("update_time", BigInteger, nullable=False),
    UniqueConstraint("project_key", "upload_id"),
    Index(None, "project_key", "version"),
    sqlite_autoincrement=True,
)

# Written once. Positions are set when the upload is finished: that is when its items get theirs.
chunks = Table(
    "chunks",
    metadata,
    _owner("upload", primary_key=True),
    Column("row_offset", BigInteger, primary_key=True, autoincrement=False),
    Column("rows", Integer, nullable=False),
    Column("vote_count", BigInteger, nullable=False),
    Column("sparse", Boolean, nullable=False),
    Column("dtype", String(8), nullable=False),
    Column("first_position", BigInteger),
    Column("last_position", BigInteger),
    # The positions of its rows, where they do not run from first to last.
    Column("positions", LargeBinary),
    # The item ids, until the upload is finished.
    Column("item_ids", LargeBinary),
    Column("votes", LargeBinary, nullable=False),
    # The codebook of the chunk; not set where it has none.
    Column("candidate_sets", LargeBinary),
    Column("soft_votes", LargeBinary),
)

# Side data. Written once; finished, it never changes.
side_uploads = Table(
    "side_uploads",
    metadata,
    _key(),
    _owner("project"),
    Column("side_data_id", String(36), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("content_digest", LargeBinary, nullable=False),
    # The stream that may write: opening the upload again takes it over.
    Column("writer", String(32), nullable=False),
    # Not set before the first chunk decides it.
    Column("named_items", Boolean),
    Column("committed_rows", BigInteger, nullable=False, default=0),
    Column("column_count", Integer, nullable=False, default=0),
    Column("byte_count", BigInteger, nullable=False, default=0),
    Column("finished", Boolean, nullable=False, default=False),
    Column("create_time", BigInteger, nullable=False),
    Column("update_time", BigInteger, nullable=False),
    UniqueConstraint("project_key", "side_data_id"),
    sqlite_autoincrement=True,
)

side_chunks = Table(
    "side_chunks",
    metadata,
    _owner("side_upload", primary_key=True),
    Column("row_offset", BigInteger, primary_key=True, autoincrement=False),
    Column("rows", Integer, nullable=False),
    Column("item_ids", LargeBinary),
    # A serialized weaklabel.v1.SideRows, compressed.
    Column("content", LargeBinary, nullable=False),
)

# Records. Written once; finished, they never change.
record_uploads = Table(
    "record_uploads",
    metadata,
    _key(),
    _owner("project"),
    Column("record_set_id", String(36), nullable=False),
    Column("role", String(16), nullable=False),
    Column("content_digest", LargeBinary, nullable=False),
    # The stream that may write: opening the upload again takes it over.
    Column("writer", String(32), nullable=False),
    # Of no meaning: items are a column.
    Column("named_items", Boolean),
    Column("committed_rows", BigInteger, nullable=False, default=0),
    # Names of the columns, the same in all chunks.
    Column("columns", JSON, nullable=False, default=list),
    Column("byte_count", BigInteger, nullable=False, default=0),
    Column("finished", Boolean, nullable=False, default=False),
    Column("create_time", BigInteger, nullable=False),
    Column("update_time", BigInteger, nullable=False),
    UniqueConstraint("project_key", "record_set_id"),
    sqlite_autoincrement=True,
)

record_chunks = Table(
    "record_chunks",
    metadata,
    _owner("record_upload", primary_key=True),
    Column("row_offset", BigInteger, primary_key=True, autoincrement=False),
    Column("rows", Integer, nullable=False),
    # A serialized weaklabel.v1.ColumnTable, compressed.
    Column("content", LargeBinary, nullable=False),
)

models = Table(
    "models",
    metadata,
    _key(),
    _owner("project"),
    Column("model_id", String(32), nullable=False),
    Column("votes_version", BigInteger, nullable=False),
    Column("item_count", BigInteger, nullable=False),
    Column("summary", JSON, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
    UniqueConstraint("project_key", "model_id"),
    sqlite_autoincrement=True,
)

soft_labels = Table(
    "soft_labels",
    metadata,
    _owner("model", primary_key=True),
    Column("row_offset", BigInteger, primary_key=True, autoincrement=False),
    Column("rows", Integer, nullable=False),
    Column("probabilities", LargeBinary, nullable=False),
    Column("labels", LargeBinary, nullable=False),
)

# The labels of models of projects with a label space, as tables.
label_chunks = Table(
    "label_chunks",
    metadata,
    _owner("model", primary_key=True),
    Column("table_name", String(32), primary_key=True),
    Column("row_offset", BigInteger, primary_key=True, autoincrement=False),
    Column("rows", Integer, nullable=False),
    # As in record_chunks.
    Column("content", LargeBinary, nullable=False),
)

operations = Table(
    "operations",
    metadata,
    _key(),
    _owner("project"),
    Column("operation_id", String(32), nullable=False),
    Column("votes_version", BigInteger, nullable=False),
    # JSON, because a seed may be any unsigned number of 64 bits.
    Column("options", JSON, nullable=False),
    Column("stage", String(16), nullable=False),
    Column("iteration", Integer, nullable=False, default=0),
    Column("max_iterations", Integer, nullable=False, default=0),
    Column("objective", Float, nullable=False, default=0.0),
    Column("change", Float, nullable=False, default=0.0),
    # How far a run of prompts is, and not set in a fit.
    Column("prompts", JSON),
    # How often it was begun and neither ended nor was interrupted in good order.
    Column("starts", Integer, nullable=False, default=0),
    Column("cancel_requested", Boolean, nullable=False, default=False),
    Column("done", Boolean, nullable=False, default=False),
    # A serialized weaklabel.v1.Status, or the id of the model made.
    Column("error", LargeBinary),
    Column("model_id", String(32)),
    Column("create_time", BigInteger, nullable=False),
    Column("end_time", BigInteger),
    # The replica that runs it; empty while none does. Only it may end the operation.
    Column("owner", String(32), nullable=False, default="", server_default=""),
    UniqueConstraint("project_key", "operation_id"),
    Index(None, "done"),
    sqlite_autoincrement=True,
)

# What belongs to an operation that runs prompts; its id is that of the operation.
prompt_runs = Table(
    "prompt_runs",
    metadata,
    _owner("operation", primary_key=True),
    _owner("project"),
    # 0 while it has made no votes.
    Column("votes_version", BigInteger, nullable=False, default=0),
    Column("money", Float, nullable=False, default=0.0),
    Column("tokens", Float, nullable=False, default=0.0),
    # The most that calls without a reply may have cost.
    Column("unconfirmed_money", Float, nullable=False, default=0.0),
    Column("unconfirmed_tokens", Float, nullable=False, default=0.0),
    # The most that calls in flight may cost, from before the first is sent until the run ends in good order.
    Column("held_money", Float, nullable=False, default=0.0),
    Column("held_tokens", Float, nullable=False, default=0.0),
    Column("budget_reached", Boolean, nullable=False, default=False),
    Column("summaries", JSON, nullable=False, default=list),
    Column("failures", JSON, nullable=False, default=list),
    Index(None, "project_key"),
)

# The first answers to calls with a request id.
requests = Table(
    "requests",
    metadata,
    Column("request_id", String(36), primary_key=True),
    Column("method", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("response", LargeBinary, nullable=False),
    Column("create_time", BigInteger, nullable=False),
)

# Access. The secret of a token is nowhere; what is revoked or has expired stays, so that its id is never given again.
tokens = Table(
    "tokens",
    metadata,
    Column("token_id", String(16), primary_key=True),
    Column("name", String(255), nullable=False),
    # ["write:team-a-*", ...]
    Column("grants", JSON, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    # Of the secret before the last rotation, and when it ends.
    Column("previous_hash", LargeBinary),
    Column("previous_expire_time", BigInteger),
    Column("create_time", BigInteger, nullable=False),
    Column("expire_time", BigInteger),
    Column("revoke_time", BigInteger),
    # Not set where the limits of the server hold.
    Column("calls_per_second", Float),
    Column("bytes_per_second", Float),
    # Grows with every change, so that servers notice it.
    Column("revision", BigInteger, nullable=False),
)

# Who changed what. It stays when the project goes.
audit = Table(
    "audit",
    metadata,
    _key(),
    Column("event_time", BigInteger, nullable=False),
    Column("token_id", String(16), nullable=False),
    Column("token_name", String(255), nullable=False),
    Column("peer", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("code", String(32), nullable=False),
    Column("request_id", String(36), nullable=False),
    Index(None, "event_time"),
    sqlite_autoincrement=True,
)

# Limits of single projects, by id, so that they can be set before the project is there; not set: those of the server.
quotas = Table(
    "quotas",
    metadata,
    Column("project_id", String(63), primary_key=True),
    Column("max_rows", BigInteger),
    Column("max_sources", BigInteger),
    Column("max_classes", BigInteger),
    Column("max_bytes", BigInteger),
)

# How many bytes the chunks, side data and models of a project have, as they are stored.
usages = Table(
    "usages",
    metadata,
    _owner("project", primary_key=True),
    Column("stored_bytes", BigInteger, nullable=False),
)
