"""What is set in JAX changes no label: programs run under the model's own settings. In processes of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.slow  # ten fits in each of six processes

PROGRAM = """
import json, sys
import jax
import jax.numpy as jnp
import numpy as np
import weaklabel
from weaklabel import LabelModel, VoteChunks
from weaklabel.model.em import subsample

subsample.CHUNK_ROWS = 1024
rng = np.random.default_rng(0)
truth = rng.integers(0, 3, (3000, 1))
votes = np.where(rng.random((3000, 7)) < rng.uniform(0.5, 0.9, 7), truth, rng.integers(-1, 3, (3000, 7)))
votes[:, 1] = votes[:, 0]
sets = weaklabel.Votes.from_dense(
    [[weaklabel.one_of(0, 1), 1, 2, weaklabel.soft([0.2, 0.5, 0.3])], [0, -1, 2, weaklabel.not_(1)]] * 20, 3
)
features = (truth + rng.normal(0, 1, (3000, 4)))[:400]
gold = np.where(np.arange(3000) < 30, truth[:, 0], -1)
exec(sys.argv[1])
def answers():
    plain = LabelModel(3).fit(votes)
    own = LabelModel(3, sample_rows=500).fit(votes)
    of_chunks = LabelModel(3, sample_rows=500).fit(VoteChunks(lambda: iter([votes[:1700], votes[1700:]]), 3))
    bags = weaklabel.class_counts([1, 1, 1], items=[0, 1, 2])
    of_features = LabelModel(3).fit(votes[:400], features=features, groups=np.arange(400) % 2)
    loaded = LabelModel.from_bytes(plain.to_bytes())
    yield plain.predict_proba(votes)
    yield own.predict_proba(votes)
    yield of_chunks.predict_proba(votes)
    yield LabelModel(3).fit(votes[:400], bags=bags).predict_proba(votes[:400], bags=bags)
    yield of_features.predict_proba(votes[:400], features=features)
    yield LabelModel(3).fit(votes, gold=gold).predict_proba(votes)
    yield LabelModel(3).fit(sets).predict_proba(sets)
    yield LabelModel(3, source_model="one_coin").fit(votes).predict_proba(votes)
    yield loaded.predict_proba(votes)
    yield plain.explain(votes, 5).probabilities
for number, found in enumerate(answers()):
    np.save(f"{sys.argv[2]}-{number}.npy", found)
print(json.dumps({"x64": jax.config.jax_enable_x64, "found": number + 1}))
"""


def answers(folder: Path, name: str, statement: str = "", **environment: str) -> dict[str, Any]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("JAX_ENABLE")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, statement, str(folder / name)],
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what is answered where nothing is set."""
    folder = tmp_path_factory.mktemp("settings")
    assert answers(folder, "expected") == {"x64": False, "found": 10}
    return folder


def check(folder: Path, name: str, within: float = 0.0) -> None:
    for number in range(10):
        found, wanted = (np.load(folder / f"{one}-{number}.npy") for one in (name, "expected"))
        assert found.dtype == wanted.dtype
        np.testing.assert_allclose(found, wanted, rtol=0, atol=within, err_msg=str(number))


EVERYTHING = """
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_debug_nans", True)
jax.config.update("jax_debug_infs", True)
jax.config.update("jax_default_matmul_precision", "bfloat16")
jax.config.update("jax_default_prng_impl", "rbg")
jax.config.update("jax_threefry_partitionable", False)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_transfer_guard", "disallow")
jax.config.update("jax_check_tracer_leaks", True)
"""


@pytest.mark.parametrize(
    "statement",
    [
        'jax.config.update("jax_enable_x64", True)',
        EVERYTHING,
        'from contextlib import ExitStack; stack = ExitStack(); stack.enter_context(jax.default_device("cpu"))',
    ],
    ids=["x64", "everything", "default device by name"],
)
def test_settings_in_the_program_change_no_bit(expected: Path, statement: str) -> None:
    found = answers(expected, "found", statement)
    assert found["x64"] == ("x64" in statement)  # as it was
    check(expected, "found")


def test_settings_in_the_environment_change_no_bit(expected: Path) -> None:
    answers(expected, "found", JAX_ENABLE_X64="1", JAX_DEBUG_NANS="1", JAX_DEFAULT_MATMUL_PRECISION="bfloat16")
    check(expected, "found")


def test_the_default_device_is_used_and_changes_no_label(expected: Path) -> None:
    """Of two devices rows would be spread over both; the one that is chosen works alone."""
    statement = """
devices = jax.local_devices()
jax.config.update("jax_default_device", devices[1])
from weaklabel.model.numerics.devices import mesh
assert mesh().devices.tolist() == [devices[1]]
"""
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=2"
    answers(expected, "found", statement, XLA_FLAGS=flags, JAX_PLATFORMS="cpu")
    check(expected, "found", 1e-6)
