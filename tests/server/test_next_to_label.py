"""Items to label by hand, through a real server: drawn by the stored soft labels, with weights that undo the draw."""

import uuid
from typing import Any

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray

from weaklabel_protocol.v1 import labels_pb2, models_pb2, side_data_pb2

GOLD = side_data_pb2.SIDE_DATA_KIND_GOLD
Request = labels_pb2.NextToLabelRequest


def gold_of(server: Any, harness: Any, parent: str, labels: list[int], **options: Any) -> str:
    rows = side_data_pb2.SideRows(gold=harness.tensor(np.reshape(labels, (-1, 1))))
    name: str = server.upload_side(parent, GOLD, (len(labels), rows), **options)[-1].name
    return name


def chances(soft: NDArray[np.float32], candidates: NDArray[np.int64]) -> NDArray[np.float64]:
    """With which each candidate is drawn first: half even, half by one minus its largest probability."""
    doubt = 1 - soft[candidates].astype(np.float64).max(1)
    chance: NDArray[np.float64] = 0.5 / len(candidates) + 0.5 * doubt / doubt.sum()
    return chance


@pytest.fixture(scope="module")
def fitted(server: Any, simulated: Any) -> tuple[str, str, NDArray[np.float32]]:
    """A project of 400 items without names, its model, and its soft labels."""
    parent = server.create_project()
    server.upload(parent, simulated()[0])
    model = server.fit(parent, options=models_pb2.FitOptions(seed=7)).model
    return parent, model, server.read_soft_labels(model)[0]


def test_weights_undo_the_draw(server: Any, fitted: tuple[str, str, NDArray[np.float32]]) -> None:
    parent, model, soft = fitted
    drawn = server.labels.NextToLabel(Request(model=f"{parent}/models/latest", n=50))
    assert (drawn.model, list(drawn.item_ids)) == (model, [])
    positions = np.array(drawn.positions)
    assert len(np.unique(positions)) == len(positions) == len(drawn.weights) == 50
    np.testing.assert_allclose(drawn.weights, 1 / (400 * chances(soft, np.arange(400))[positions]), rtol=1e-6)

    # Exponential keys over chances: the n smallest, in their order (Efraimidis and Spirakis 2006).
    keys = np.random.default_rng(7).exponential(size=400) / chances(soft, np.arange(400))
    assert positions.tolist() == np.argsort(keys)[:50].tolist()  # the seed of the fit
    assert server.labels.NextToLabel(Request(model=model, n=50, seed=7)) == drawn
    assert list(server.labels.NextToLabel(Request(model=model, n=20)).positions) == positions[:20].tolist()
    zero = server.labels.NextToLabel(Request(model=model, n=50, seed=0))  # which is a seed, too
    assert list(zero.positions) != positions.tolist()


def test_what_is_known_is_not_drawn(server: Any, harness: Any, fitted: tuple[str, str, NDArray[np.float32]]) -> None:
    parent, model, soft = fitted
    known = [1, -1] * 150  # of items 0, 2, ... 298; of the last hundred nothing is said
    gold = gold_of(server, harness, parent, known)
    candidates = np.flatnonzero(np.array(known + [-1] * 100) < 0)
    drawn = server.labels.NextToLabel(Request(model=model, n=len(candidates), gold=gold))
    assert sorted(drawn.positions) == candidates.tolist()
    of_items = dict(zip(candidates.tolist(), 1 / (250 * chances(soft, candidates)), strict=True))
    np.testing.assert_allclose(drawn.weights, [of_items[position] for position in drawn.positions], rtol=1e-6)
    failure = harness.failure_of(lambda: server.labels.NextToLabel(Request(model=model, n=251, gold=gold)))
    assert failure.violations == {"n": "1 to 65536, and at most the 250 items without gold, got 251"}


def test_items_by_their_ids(server: Any, harness: Any, simulated: Any) -> None:
    """Of the version of the votes that the model was fitted on, whatever came later."""
    parent = server.create_project()
    items = [f"mail/{row} é" for row in range(100)]
    server.upload(parent, simulated(items=100)[0], items=items)
    model = server.fit(parent).model
    server.upload(parent, np.zeros((3, 5), np.int8), items=["new 0", "new 1", "new 2"])
    gold = gold_of(server, harness, parent, [0, 1], items=[items[5], items[0]])
    drawn = server.labels.NextToLabel(Request(model=model, n=98, gold=gold))
    assert list(drawn.item_ids) == [items[position] for position in drawn.positions]
    assert sorted(drawn.positions) == [1, 2, 3, 4, *range(6, 100)]
    newer = gold_of(server, harness, parent, [0], items=["new 1"])
    failure = harness.failure_of(lambda: server.labels.NextToLabel(Request(model=model, n=1, gold=newer)))
    assert (failure.code, failure.info.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "SIDE_DATA_UNSUITABLE")
    assert failure.violations == {"gold": 'item "new 1" is not in version 1 of the votes'}


def test_bad_requests(server: Any, harness: Any, fitted: tuple[str, str, NDArray[np.float32]]) -> None:
    parent, model, _ = fitted
    other = server.create_project()

    def fault(**fields: Any) -> Any:
        request = Request(**{"model": model, "n": 1, **fields})
        return harness.failure_of(lambda: server.labels.NextToLabel(request))

    for n in (0, 401, 2**32 - 1):
        failure = fault(n=n)
        assert failure.code == grpc.StatusCode.INVALID_ARGUMENT
        assert failure.violations == {"n": f"1 to 65536, and at most the 400 items without gold, got {n}"}
    assert list(fault(model="spam").violations) == ["model"]
    assert fault(model=f"{parent}/models/none").info.reason == "MODEL_NOT_FOUND"
    assert list(fault(gold="spam").violations) == ["gold"]
    assert f'side data of "{parent}"' in fault(gold=f"{other}/sideData/{uuid.uuid4()}").violations["gold"]
    assert fault(gold=f"{parent}/sideData/{uuid.uuid4()}").info.reason == "SIDE_DATA_NOT_FOUND"
    prior = side_data_pb2.SideRows(prior=harness.tensor([[0.5, 0.5]], "<f4"))
    name = server.upload_side(parent, side_data_pb2.SIDE_DATA_KIND_PRIOR, (1, prior))[-1].name
    assert fault(gold=name).violations == {"gold": "side data of kind gold, this is of kind prior"}
    beyond = gold_of(server, harness, parent, [0] * 401)
    assert fault(gold=beyond).violations == {"gold": "item 400 is not among the 400 items of version 1"}


def test_ids_that_fit_no_message(server: Any, harness: Any, simulated: Any) -> None:
    parent = server.create_project()
    items = [f"{row:05d}" + "\N{GRINNING FACE}" * 250 for row in range(4500)]  # 1,005 bytes each
    server.upload(parent, simulated(items=4500)[0], items=items, chunk_rows=1500)
    model = server.fit(parent, options=models_pb2.FitOptions(max_iterations=2)).model
    assert len(server.labels.NextToLabel(Request(model=model, n=4000)).item_ids) == 4000
    failure = harness.failure_of(lambda: server.labels.NextToLabel(Request(model=model, n=4400)))
    assert failure.violations == {"n": "the ids of 4400 items do not fit into a message"}
