"""Settings of the server: from arguments, else from environment variables WEAKLABEL_*, else the defaults."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from weaklabel_server import address

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


def _expanded(value: Path) -> Path:
    return value.expanduser()


Expanded = Annotated[Path, AfterValidator(_expanded)]
"""A path in which ~ is the home of the user."""


class ServerConfig(BaseSettings):
    """Settings of one server. Sizes are in bytes, times in seconds."""

    model_config = SettingsConfigDict(env_prefix="WEAKLABEL_", frozen=True)

    listen: Annotated[str, AfterValidator(_check_listen)] = "127.0.0.1:50051"
    """HOST:PORT; port 0 picks a free one. Or unix:PATH for a Unix socket."""
    insecure: bool = False
    """Allows listening on an address that other machines reach, although there is no authentication."""
    data_dir: Expanded = Path("weaklabel-data")
    """Folder of the database and of the lock that keeps a second server out. Made where it is missing."""
    database_url: str | None = None
    """SQLAlchemy URL of another database than the SQLite file in data_dir."""
    compile_cache: Literal["off"] | Expanded | None = None
    """Folder in which compiled programs are kept, so that the next start is quick; `compiled` in data_dir where not
    given. "off" keeps none."""

    max_message_bytes: int = Field(default=4 * MIB, ge=64 * 1024, le=256 * MIB)
    """Largest message that is received or sent."""
    max_concurrent_rpcs: int = Field(default=256, ge=1)
    """Calls and streams in flight; more are answered with RESOURCE_EXHAUSTED."""
    max_streams: int = Field(default=128, ge=1, validate_default=True)
    """Streams and WaitOperation calls in flight, fewer than max_concurrent_rpcs: short calls always find a place."""
    stream_idle_seconds: float = Field(default=60.0, gt=0)
    """A stream whose client sends nothing for so long is ended. An upload can be taken up again."""
    max_votes_cells: int = Field(default=20_000_000_000, ge=1)
    """Items times sources of one project."""
    max_label_cells: int = Field(default=2**27, ge=1)
    """Items times classes of one fit or prediction. A fit takes up to 80 bytes for each."""
    max_side_data_bytes: int = Field(default=2 * 1024 * MIB, ge=1)
    """Size of one set of side data; a fit that names it holds it in memory."""
    max_fits: int = Field(default=1, ge=1)
    """Fits that run at the same time; more wait in the queue."""
    prompts_file: Expanded | None = None
    """Endpoints, models, prices and budgets of prompts: see prompt_settings.py. No prompts are run without it."""
    max_prompt_runs: int = Field(default=1, ge=1)
    """Runs of prompts at the same time, one for each project; more wait. Each has its part of an endpoint's limits."""
    max_prompt_calls: int = Field(default=5_000_000, ge=1)
    """Items times prompts times samples of one run, which has them in memory."""
    prediction_threads: int = Field(default=2, ge=1)
    """Predictions that run at the same time."""
    cached_models: int = Field(default=16, ge=1)
    """Fitted models kept ready in memory."""
    keep_days: float = Field(default=7.0, gt=0)
    """Broken uploads and answers to request ids are forgotten after so many days."""
    clean_seconds: float = Field(default=3600.0, gt=0)
    """How often the server looks for what can be forgotten."""

    drain_seconds: float = Field(default=0.5, ge=0)
    """From NOT_SERVING until new calls are refused, so that load balancers notice."""
    grace_seconds: float = Field(default=10.0, ge=0)
    """From then until calls in flight are cut off."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"

    @field_validator("max_streams")
    @classmethod
    def _leave_room_for_calls(cls, value: int, info: ValidationInfo) -> int:
        calls = info.data.get("max_concurrent_rpcs")
        if calls is not None and value >= calls:
            raise PydanticCustomError(
                "max_streams",
                "{value} is not less than max_concurrent_rpcs, {calls}",
                {"value": value, "calls": calls},
            )
        return value

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return address.is_loopback(self.listen)
