"""kill -9 in rounds, under load: what was acknowledged must be there, equal, and each operation ended once.

    python benchmarks/kill_rounds.py --rounds 100                                  # SQLite
    python benchmarks/kill_rounds.py --rounds 100 --replicas 2 --url postgresql://postgres@127.0.0.1:5432/empty

Clients create projects, upload votes and fit, and note what was acknowledged. In each round one server is killed and
started again. At the end everything is read and compared, and `weaklabel admin check` is run. A fit during which its
server was killed three times ends with an error, which is right.
"""

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from operator import methodcaller
from pathlib import Path
from typing import Any

import numpy as np

from weaklabel_client import Client, ClientError, InternalError

WEAKLABEL = str(Path(sys.executable).with_name("weaklabel"))
LISTENING = re.compile(r"listening on (\S+), data in")


class Replica:
    """One server, killed and started again on the same port."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder, self._environment = folder, os.environ | environment
        self.address = "127.0.0.1:0"
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Starts it, and returns when it listens."""
        command = [WEAKLABEL, "serve", "--listen", self.address, "--data-dir", str(self._folder)]
        with (self._folder.parent / f"{self._folder.name}.log").open("a") as log:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, env=self._environment
            )
        assert self.process.stdout is not None
        said = LISTENING.search(self.process.stdout.readline())
        if said is None:
            raise SystemExit(f"a server did not start; see {self._folder}.log")
        self.address = said[1]

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class Load:
    """One client: what it did and was acknowledged."""

    def __init__(self, replicas: list[Replica], number: int) -> None:
        self._replicas = replicas
        self._random = random.Random(number)
        self.project = f"p{number}-{uuid.uuid4().hex[:8]}"
        self.votes: dict[int, Any] = {}  # by version
        self.operations: set[str] = set()
        self.stop = threading.Event()
        self.errors: list[str] = []

    def run(self) -> None:
        """Uploads and fits until it is stopped."""
        self._again(lambda client: client.create_project(self.project, ["a", "b"], exist_ok=True))
        number = 0
        while not self.stop.is_set():
            number += 1
            votes = np.random.default_rng([number, id(self) % 1000]).integers(-1, 2, (500, 4)).astype(np.int8)
            done = self._again(methodcaller("upload_votes", self.project, votes, timeout=20))
            if done is not None:
                self.votes[done.votes_version] = votes
            if number % 3 == 0:
                fit = self._again(methodcaller("fit", self.project, seed=number))
                if fit is not None:
                    self.operations.add(fit.name)

    def _again(self, call: Callable[[Any], Any]) -> Any:
        """Calls any server until one answers."""
        while not self.stop.is_set():
            try:
                with Client(self._random.choice(self._replicas).address, timeout=10) as client:
                    return call(client)
            except (ClientError, OSError) as error:
                if isinstance(error, InternalError):
                    self.errors.append(str(error))
                time.sleep(0.1)
        return None


def verify(load: Load, address: str) -> list[str]:
    """What is not as it was acknowledged."""
    wrong = [f"{load.project}: {error}" for error in load.errors]
    with Client(address) as client:
        for version, votes in load.votes.items():
            if not np.array_equal(client.read_votes(load.project, votes_version=version).votes, votes):
                wrong.append(f"{load.project}: version {version} has other votes")
        fits = list(client.list_operations(load.project))
        made = []
        for fit in fits:
            try:
                made.append(fit.result(timeout=120).name)
            except ClientError as error:
                if "OPERATION_CRASHES" not in str(error):
                    wrong.append(f"{fit.name}: {error}")
        models = [model.name for model in client.list_models(load.project)]
        if sorted(made) != sorted(models) or len(set(made)) != len(made):
            wrong.append(f"{load.project}: {len(fits)} fits and {len(models)} models")
        if not load.operations <= {fit.name for fit in fits}:
            wrong.append(f"{load.project}: fits are lost")
    return wrong


def main() -> None:
    """Runs the rounds; exit status 1 where anything is not as acknowledged."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--clients", type=int, default=3)
    parser.add_argument("--url", help="of an empty PostgreSQL database; SQLite without it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environment = {"WEAKLABEL_LEASE_SECONDS": "2", "WEAKLABEL_LOG_LEVEL": "warning"}
        if options.url:
            environment["WEAKLABEL_DATABASE_URL"] = options.url
        replicas = [Replica(Path(folder) / f"replica{number}", environment) for number in range(options.replicas)]
        for replica in replicas:
            replica.start()
        loads = [Load(replicas, number) for number in range(options.clients)]
        threads = [threading.Thread(target=load.run) for load in loads]
        for thread in threads:
            thread.start()
        try:
            for _ in range(options.rounds):
                time.sleep(random.uniform(0.3, 3.0))
                victim = random.choice(replicas)
                victim.kill()
                victim.start()
        finally:
            for load in loads:
                load.stop.set()
            for thread in threads:
                thread.join()
        try:
            wrong = [one for load in loads for one in verify(load, replicas[-1].address)]
            check = [WEAKLABEL, "admin", "check", "--data-dir", str(Path(folder) / "replica0")]
            checked = subprocess.run(check, env=os.environ | environment, capture_output=True, text=True, check=False)
        finally:
            for replica in replicas:
                replica.kill()
        wrong += checked.stderr.splitlines()
        uploads, fits = sum(len(one.votes) for one in loads), sum(len(one.operations) for one in loads)
        print(f"{options.rounds} kills, {uploads} uploads and {fits} fits acknowledged, {len(wrong)} faults")
        print("\n".join(wrong))
        sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
