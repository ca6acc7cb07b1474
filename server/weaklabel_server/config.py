"""Settings of the server: from arguments, else from environment variables WEAKLABEL_*, else from a TOML file."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from weaklabel_server import address, machine
from weaklabel_server.settings import FileSource

MIB = 1024 * 1024


def _check_listen(value: str) -> str:
    found = address.read(value)
    if found is None:
        # Not a ValueError: its message would begin with "Value error, ".
        raise PydanticCustomError(
            "listen",
            '"{value}" is not HOST:PORT, such as 127.0.0.1:50051 or [::1]:50051, nor unix:PATH',
            {"value": value},
        )
    return found


def _check_metrics_listen(value: str) -> str:
    found = _check_listen(f"127.0.0.1:{value}" if value.isdigit() else value)
    if address.is_unix(found):
        raise PydanticCustomError("metrics_listen", "metrics are read over TCP: HOST:PORT, or PORT")
    return found


def _expanded(value: Path) -> Path:
    return value.expanduser()


Expanded = Annotated[Path, AfterValidator(_expanded)]
"""A path in which ~ is the home of the user."""


class ServerConfig(BaseSettings):
    """Settings of one server. Sizes are in bytes, times in seconds."""

    model_config = SettingsConfigDict(env_prefix="WEAKLABEL_", frozen=True)

    config: Expanded | None = None
    """A TOML file with settings by name. The environment goes before it, and options before both."""
    listen: Annotated[str, AfterValidator(_check_listen)] = "127.0.0.1:50051"
    """HOST:PORT; port 0 picks a free one. Or unix:PATH for a Unix socket."""
    insecure: bool = False
    """Allows listening on an address that other machines reach without TLS or without tokens."""
    tls_certificate: Expanded | None = None
    """The certificate of the server and its chain, in PEM. Read again when it is renewed."""
    tls_key: Expanded | None = Field(default=None, validate_default=True)
    """Its key, in PEM, without a password."""
    tls_client_ca: Expanded | None = None
    """Certificates in PEM: only clients that have one signed by one of these get in."""
    require_tokens: Literal["auto", "on", "off"] = "auto"
    """Whether calls need a token. "auto": where other machines reach the server, unless `insecure`; and as soon as a
    token was ever created."""
    token_refresh_seconds: float = Field(default=2.0, ge=0)
    """After so long at most a token that was revoked is refused."""
    calls_per_second: float = Field(default=2000.0, gt=0)
    """Calls of one token, and messages of its streams, where it has no limit of its own."""
    bytes_per_second: float = Field(default=256.0 * MIB, gt=0)
    """Sent and received by one token, where it has no limit of its own."""
    audit_days: float = Field(default=365.0, gt=0)
    """How long the audit trail is kept."""
    max_project_rows: int = Field(default=1_000_000_000, ge=1)
    """Items of one project; this and the next three: unless `weaklabel admin quotas` says otherwise."""
    max_project_sources: int = Field(default=10_000, ge=1)
    """Sources of one project."""
    max_project_classes: int = Field(default=10_000, ge=2)
    """Classes of one project."""
    max_project_bytes: int = Field(default=1024 * 1024 * MIB, ge=1)
    """Votes, side data and models of one project, as they are stored."""
    data_dir: Expanded = Path("weaklabel-data")
    """Folder of the database and of the lock that keeps a second server out. Made where it is missing."""
    database_url: str | None = Field(default=None, repr=False)
    """URL of a PostgreSQL database, postgresql://USER:PASSWORD@HOST:PORT/DATABASE, in place of the SQLite file in
    data_dir. Several servers may share it; each has a data_dir of its own."""
    lease_seconds: float = Field(default=15.0, ge=1)
    """With PostgreSQL: when a server has shown no sign of life for so long, others take over what it ran."""
    compile_cache: Literal["off"] | Expanded | None = None
    """Folder in which compiled programs are kept, so that the next start is quick; `compiled` in data_dir where not
    given. "off" keeps none."""

    max_message_bytes: int = Field(default=4 * MIB, ge=64 * 1024, le=256 * MIB)
    """Largest message that is received or sent."""
    max_concurrent_rpcs: int = Field(default=256, ge=1)
    """Short calls at a time, and as many predictions; more are answered with RESOURCE_EXHAUSTED."""
    max_streams: int = Field(default=128, ge=1)
    """Streams and WaitOperation calls at a time, beside the short calls."""
    max_watches: int = Field(default=512, ge=1)
    """Streams of health and reflection at a time, beside the others."""
    peer_share: float = Field(default=0.8, gt=0, le=1)
    """The part of each of these that one host may have. 1 where all calls come through one proxy."""
    silent_seconds: float = Field(default=5.0, gt=0)
    """A call, other than a stream of messages, that has sent no message after so long is ended."""
    stream_idle_seconds: float = Field(default=60.0, gt=0)
    """A stream whose client sends or reads nothing for so long is ended. An upload can be taken up again."""
    max_votes_cells: int = Field(default=20_000_000_000, ge=1)
    """Items times sources of one project."""
    max_label_cells: int = Field(default=2**27, ge=1)
    """Items times classes of one fit or prediction. A fit takes up to 80 bytes for each."""
    max_side_data_bytes: int = Field(default=2 * 1024 * MIB, ge=1)
    """Size of one set of side data; a fit that names it holds it in memory."""
    max_fits: int = Field(default=2, ge=1)
    """Fits that run at the same time, each in a process of its own; more wait in the queue. Where there are several,
    one is kept for fits of about a second."""
    max_project_fits: int | None = Field(default=None, ge=1)
    """Fits of one project that run at the same time; where not given, one fewer than max_fits, and at least one."""
    max_queued_fits: int = Field(default=1000, ge=1)
    """Fits that wait or run, of all projects; more are refused."""
    max_queued_project_fits: int = Field(default=200, ge=1)
    """Fits that wait or run, of one project; more are refused."""
    max_fit_memory_bytes: int = Field(default_factory=lambda: int(0.6 * machine.memory_bytes()), ge=1)
    """Memory of a fit by estimate, and of all that run; a fit that needs more is refused. Where not given, 60 % of what
    this machine has, or its control group allows."""
    max_fit_seconds: float = Field(default=86_400.0, gt=0)
    """A fit that takes longer is ended."""
    prompts_file: Expanded | None = None
    """Endpoints, models, prices and budgets of prompts: see prompt_settings.py. No prompts are run without it."""
    max_prompt_runs: int = Field(default=1, ge=1)
    """Runs of prompts at the same time, one for each project; more wait. Each has its part of an endpoint's limits."""
    max_prompt_calls: int = Field(default=5_000_000, ge=1)
    """Items times prompts times samples of one run, which has them in memory."""
    prediction_threads: int = Field(default=2, ge=1)
    """Predictions that run at the same time."""
    max_model_bytes: int = Field(default=256 * MIB, ge=64 * 1024, le=1024 * MIB)
    """Size of a model that is uploaded: of its file, and of what the file holds."""
    max_import_bytes: int = Field(default=64 * 1024 * MIB, ge=1)
    """Folders of projects that are being imported, on the disk of data_dir, all together."""
    max_analysis_votes: int = Field(default=2**27, ge=1)
    """Votes that a report is computed of."""
    cached_models: int = Field(default=16, ge=1)
    """Fitted models kept ready in memory."""
    warm_up: bool = True
    """Whether the label model's libraries, the newest models and a process for fits are made ready at the start. Where
    not, the first prediction and the first fit wait a few seconds, and a server without either needs less memory."""
    keep_days: float = Field(default=7.0, gt=0)
    """Broken uploads and answers to request ids are forgotten after so many days."""
    keep_models: int = Field(default=0, ge=0)
    """So many of the newest models of a project are kept, besides those younger than keep_days; 0 keeps all."""
    keep_versions: int = Field(default=0, ge=0)
    """So many of the newest versions of the votes of a project are kept, besides those younger than keep_days; 0 keeps
    all."""
    clean_seconds: float = Field(default=3600.0, gt=0)
    """How often the server looks for what can be forgotten."""

    drain_seconds: float = Field(default=0.5, ge=0)
    """From NOT_SERVING until new calls are refused, so that load balancers notice."""
    grace_seconds: float = Field(default=10.0, ge=0)
    """From then until calls in flight are cut off."""

    reflection: bool | None = None
    """Whether callers may ask which services and messages there are. Where not given, only if no other machine reaches
    the server."""
    metrics_listen: Annotated[str, AfterValidator(_check_metrics_listen)] | None = None
    """HOST:PORT, or PORT of loopback, where Prometheus reads metrics over plain HTTP; none without it. Whoever reaches
    it can read them."""
    tracing: Literal["auto", "on", "off"] = "auto"
    """Whether calls and fits are sent to an OpenTelemetry collector. "auto": where one of the standard OTEL_ variables
    names it."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Where settings come from, the first that has one."""
        return init_settings, env_settings, FileSource(settings_cls)

    @field_validator("tls_key")
    @classmethod
    def _need_both(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if (value is None) != (info.data.get("tls_certificate") is None):
            raise PydanticCustomError("tls_key", "tls_certificate and tls_key are given together")
        return value

    @field_validator("tls_client_ca")
    @classmethod
    def _need_certificate(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("tls_certificate") is None:
            raise PydanticCustomError("tls_client_ca", "certificates of clients need tls_certificate and tls_key")
        return value

    @property
    def tokens_required(self) -> bool | None:
        """Whether calls need a token; None: as soon as there is one."""
        if self.require_tokens != "auto":
            return self.require_tokens == "on"
        return None if self.is_loopback or self.insecure else True

    @property
    def offers_reflection(self) -> bool:
        """Whether callers may ask which services and messages there are."""
        return self.is_loopback if self.reflection is None else self.reflection

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return address.is_loopback(self.listen)
