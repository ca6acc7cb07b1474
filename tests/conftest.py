"""What tests of several folders share: strict JAX, checked shapes, and a real server in its own process."""

import gc
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, Self

# Before numpy is loaded, here and in the processes of xdist, which share two cores: L-BFGS of SciPy waits for threads
# of OpenBLAS that have no core to run on (scipy/scipy#22438).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Servers and other processes that tests start read our modules' bytecode, which CI's setting would have each compile.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# The same programs, compiled for half the CPU: in one piece instead of up to 32 for as many threads, by the older
# emitter of fusions, and not optimized by LLVM. `make test-slow` and `make coverage` have them optimized, as users do.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_cpu_parallel_codegen_split_count=1 --xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=0",
)

import jax
import pytest
from beartype import BeartypeConf, FrozenDict, beartype
from jaxtyping import install_import_hook

from weaklabel import compile_cache

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
# Shapes in the annotations of the pure core are checked at run time, in tests only.
PURE = [
    f"weaklabel.model.{name}"
    for name in (
        *("records", "settings", "em", "labels", "sources", "layout.choice", "layout.copy_weights", "preparation"),
        *("calibration.tempering", "features"),
    )
]


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its annotations checked, but for two kinds that beartype does not know how to.

    Methods are decorated one by one, so that Self has no class; and protocols with properties have no subclasses.
    """
    seams = sys.modules.get("weaklabel.model.protocols")  # not imported here: it imports modules that are checked
    unknown = [getattr(seams, name, None) for name in ("LabelSpace", "SourceModel")]
    kinds: dict[Any, Any] = {Self: tuple, **{type[seam]: type for seam in unknown if seam}}
    overrides: FrozenDict[Any, Any] = FrozenDict(kinds)
    with_types: Callable[..., Any] = beartype(conf=BeartypeConf(hint_overrides=overrides, is_pep484_tower=True))(
        function
    )
    return with_types


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays: the garbage collector looks at none of it, neither now nor in the tests."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


install_import_hook(PURE, f"{__name__}.{checked.__name__}")
# Shared by the workers, the servers that tests start, and the next run: most of a test's time is compilation.
compile_cache.use(Path(__file__).parent.parent / ".pytest_cache" / "compiled")

LISTENING = re.compile(r"^weaklabel \S+ listening on (\S+), data in (.+)$", re.MULTILINE)
START_TIMEOUT = 60.0
STOP_TIMEOUT = 30.0


COLD = {"WEAKLABEL_WARM_UP": "off"}
"""Three of the four or five seconds of CPU that a start takes are the warming of what most tests never use."""

WARM = {"WEAKLABEL_WARM_UP": "on"}


class ServerProcess:
    """`weaklabel serve` as its own process on a free port; a restart keeps the port and the data.

    It is COLD unless the environment says otherwise, the test's own or that of the process.
    """

    def __init__(self, data_dir: Path, *arguments: str, environment: dict[str, str] | None = None) -> None:
        self.data_dir = data_dir
        self.address = "127.0.0.1:0"
        self._arguments = arguments
        self._environment = COLD | os.environ | (environment or {})
        self._output: list[str] = []
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    @property
    def process(self) -> subprocess.Popen[str]:
        assert self._process is not None, "the server was not started"
        return self._process

    def start(self) -> None:
        """Starts the process and waits for the line that says where it listens."""
        command = [str(Path(sys.executable).with_name("weaklabel")), "serve"]
        command += ["--listen", self.address, "--data-dir", str(self.data_dir), *self._arguments]
        before = len(self._output)
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self._environment
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()
        deadline = time.monotonic() + START_TIMEOUT
        while (said := LISTENING.search("".join(self._output[before:]))) is None:
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"the server did not start:\n{self.log()}")
            time.sleep(0.01)
        self.address = said[1]

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            self._output.extend(process.stdout)

    def log(self) -> str:
        """All that the server has written so far, of every start."""
        return "".join(self._output)

    def kill(self) -> None:
        """SIGKILL: nothing in the server gets a chance to tidy up."""
        self._stop(signal.SIGKILL)

    def terminate(self) -> int:
        """SIGTERM: the server drains. Returns its exit status."""
        return self._stop(signal.SIGTERM)

    def restart(self) -> None:
        """Starts it again on the same port and data, after a SIGTERM if it still runs."""
        self.terminate()
        self.start()

    def _stop(self, number: signal.Signals) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            status = self.process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"the server did not stop:\n{self.log()}") from None
        assert self._reader is not None
        self._reader.join(STOP_TIMEOUT)
        return status


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Starts servers with options of `weaklabel serve`; they are killed when the test ends."""
    started: list[ServerProcess] = []

    def start(*arguments: str, environment: dict[str, str] | None = None) -> ServerProcess:
        started.append(ServerProcess(tmp_path / f"data-{len(started)}", *arguments, environment=environment))
        started[-1].start()
        return started[-1]

    yield start
    for process in started:
        process.kill()


@pytest.fixture
def server(start_server: Callable[..., ServerProcess]) -> ServerProcess:
    """A server of its own, for tests that kill it or need an empty store."""
    return start_server()


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for the tests that leave it running; each test uses projects of its own."""
    process = ServerProcess(tmp_path_factory.mktemp("shared-server") / "data", environment=WARM)
    process.start()
    yield process
    process.kill()
