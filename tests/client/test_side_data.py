"""Side data through a real server: its fits are those of the library."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.sparse as sp

import weaklabel
import weaklabel_client as wc
from weaklabel import LabelModel
from weaklabel.side_information import bags as library
from weaklabel.votes import Votes, symbols
from weaklabel.votes.symbols import one_of, soft
from weaklabel_client import InvalidArgument, NotFound

SOURCES = [f"s{m}" for m in range(5)]
CLASSES = ["a", "b", "c"]


def simulated(n_items: int = 300) -> tuple[Votes, npt.NDArray[np.int64]]:
    """Votes of sources that are right in 60 % of their votes, some of them for two classes, some soft; the truth."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, n_items)
    plain = np.where(rng.random((n_items, 5)) < 0.6, truth[:, None], rng.integers(0, 3, (n_items, 5)))
    cells: list[list[Any]] = plain.tolist()
    for row in cells:
        row[1] = one_of(row[1], (row[1] + 1) % 3) if rng.random() < 0.5 else row[1]
        row[2] = soft(rng.dirichlet(1 + 4 * (np.arange(3) == row[2]))) if rng.random() < 0.5 else row[2]
        row[3] = -1 if rng.random() < 0.3 else row[3]
    return Votes.from_dense(cells, 3, sources=SOURCES), truth


@pytest.fixture
def waiting(shared_server: Any) -> Iterator[wc.Client]:
    """A client of one kind only, for tests that fit; both clients are tested with what is cheap."""
    with wc.Client(shared_server.address) as client:
        yield client


def test_a_fit_of_imprecise_votes_is_that_of_the_library(waiting: wc.Client, project: str) -> None:
    votes, _ = simulated()
    own = LabelModel(classes=CLASSES).fit(votes)
    waiting.create_project(project, classes=CLASSES)
    waiting.upload_votes(project, votes)
    model = waiting.fit(project).result(timeout=120)
    fetched = waiting.labels(project)
    expected, labels = own.label(votes)
    np.testing.assert_allclose(fetched.probabilities, expected, atol=2e-5)
    np.testing.assert_array_equal(fetched.labels, labels)
    np.testing.assert_allclose(model.class_balance, own.class_balance, atol=1e-5)
    assert model.group_balance == {}
    np.testing.assert_allclose(waiting.predict(project, votes), expected, atol=2e-5)


@pytest.mark.slow
def test_a_fit_with_all_that_is_known_is_that_of_the_library(waiting: wc.Client, project: str) -> None:
    """Of items with ids, given in another order than that of the votes; then predictions for new items."""
    every_vote, truth = simulated(400)
    votes, new = every_vote.select_items(np.arange(300)), every_vote.select_items(np.arange(300, 400))
    rng = np.random.default_rng(1)
    features = (np.eye(3)[truth] + rng.normal(0, 1, (400, 3))).astype(np.float32)
    prior = rng.dirichlet(np.ones(3), 400).astype(np.float32)
    prior[::3] = np.nan
    groups = np.array(["x", "y", "z"])[(truth + (rng.random(400) < 0.5)) % 3]
    gold = np.where(rng.random(300) < 0.2, truth[:300], -1)
    gold[:20] = -1  # of the items in bags
    counts = np.bincount(truth[:10], minlength=3)
    bags = [library.class_counts(counts, items=np.arange(10)), library.same_label([[10, 11], [12, 13]])]
    rest: dict[str, Any] = {"gold_error": 0.05, "bounds": {"s0": (0.5, 0.95)}}
    known: dict[str, Any] = {"prior": prior[:300], "groups": groups[:300], "features": features[:300]}
    own = LabelModel(classes=CLASSES).fit(votes, gold=gold, bags=bags, **known, **rest)

    ids = [f"item {i}" for i in range(300)]
    order = rng.permutation(300)
    waiting.create_project(project, classes=CLASSES)
    waiting.upload_votes(project, votes, items=ids)
    given: dict[str, Any] = {name: values[order] for name, values in known.items()}
    named = [
        wc.class_counts(counts, ids[:10]),
        wc.same_label([[ids[10], ids[11]], [ids[12], ids[13]]]),
    ]
    gold_by_id = {ids[i]: int(gold[i]) for i in np.flatnonzero(gold >= 0)}
    items = [ids[i] for i in order]
    model = waiting.fit(project, gold=gold_by_id, bags=named, items=items, **given, **rest).result(timeout=120)
    fetched = waiting.labels(project, model=model.name)
    expected, labels = own.label(votes, bags=bags, **known)
    assert fetched.items == tuple(ids)
    np.testing.assert_allclose(fetched.probabilities, expected, atol=2e-5)
    np.testing.assert_array_equal(fetched.labels, labels)
    assert own.group_balance is not None
    assert list(model.group_balance) == list(own.group_names)
    np.testing.assert_allclose(np.stack(list(model.group_balance.values())), own.group_balance, atol=1e-5)

    alone = waiting.predict(project, features=features[300:])
    np.testing.assert_allclose(alone, own.predict_proba(features=features[300:]), atol=2e-5)
    of_new: dict[str, Any] = {"prior": prior[300:], "groups": groups[300:], "features": sp.csr_array(features[300:])}
    whole = waiting.predict(project, new, **of_new)
    np.testing.assert_allclose(whole, own.predict_proba(new, **of_new), atol=2e-5)
    chunks = [
        {"votes": new.select_items(part), **{name: values[part] for name, values in of_new.items()}}
        for part in np.split(np.arange(100), 2)
    ]
    streamed = [answer.probabilities for answer in waiting.predict_stream(project, chunks)]
    np.testing.assert_allclose(np.concatenate(streamed), whole, atol=2e-5)


def test_weighed_gold_and_how_it_was_drawn_is_that_of_the_library(waiting: wc.Client, project: str) -> None:
    votes, truth = simulated()
    gold = np.full(300, -1)
    for label in range(3):  # as many of each class, which "auto" takes for a design
        gold[np.flatnonzero(truth == label)[:8]] = label
    weight = np.where(gold == 0, 20.0, 0.125)
    own = LabelModel(classes=CLASSES)
    known: dict[str, dict[str, Any]] = {
        "weighed": {"gold_weight": weight},
        "random": {"gold_sampling": "random"},
        "by class": {"gold_sampling": "by_class"},
        "auto": {},
    }
    expected = {name: own.fit(votes, gold=gold, **given).predict_proba(votes) for name, given in known.items()}
    for name in ("weighed", "random"):  # so that an argument that got lost would be seen
        assert np.abs(expected[name] - expected["auto"]).max() > 1e-3, name
    np.testing.assert_array_equal(expected["by class"], expected["auto"])

    ids = [f"item {i}" for i in range(300)]
    waiting.create_project(project, classes=CLASSES)
    waiting.upload_votes(project, votes, items=ids)
    by_id = {ids[i]: int(gold[i]) for i in np.flatnonzero(gold >= 0)}
    weight_by_id = {one: float(weight[ids.index(one)]) for one in reversed(by_id)}
    for name, given in known.items():
        sent = given | ({"gold_weight": weight_by_id} if name == "weighed" else {})
        model = waiting.fit(project, gold=by_id, **sent).result(timeout=120)
        fetched = waiting.soft_labels(project, model=model.name)
        np.testing.assert_allclose(fetched, expected[name], atol=2e-5, err_msg=name)
    kinds = {one.kind for one in waiting.list_side_data(project)}
    assert kinds == {"gold", "gold_weight"}


async def test_side_data_is_kept_once_listed_and_deleted(client: Any, project: str) -> None:
    votes, truth = simulated(50)
    await client.create_project(project, classes=CLASSES)
    await client.upload_votes(project, votes)
    first = await client.upload_side_data(project, "gold", truth)
    again = await client.upload_side_data(project, "gold", truth)
    assert first == again
    other = await client.upload_side_data(project, "groups", [f"g{i % 4}" for i in range(50)])
    assert [one async for one in client.list_side_data(project)] == [other, first]
    await client.delete_side_data(project, first.name)
    assert [one async for one in client.list_side_data(project)] == [other]
    with pytest.raises(NotFound, match="has no side data"):
        await client.fit(project, gold=first)


async def test_large_features_go_in_many_chunks_and_are_taken_up(
    start_server: Callable[..., Any], connect: Callable[..., Any], make_proxy: Callable[[str], Any]
) -> None:
    proxy = make_proxy(start_server().address)
    client = connect(proxy.address)
    features = np.random.default_rng(0).normal(size=(20_000, 100)).astype(np.float32)  # 8 MB
    await client.create_project("large", classes=CLASSES)
    proxy.cut_after(2_000_000, 3_000_000)
    seen: list[int] = []
    uploaded = await client.upload_side_data(
        "large", "features", features, progress=lambda step: seen.append(step.committed_rows)
    )
    assert proxy.n_connections >= 3
    assert seen[-1] == 20_000
    assert len(seen) >= 3
    assert (uploaded.n_rows, uploaded.n_columns) == (20_000, 100)


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("golden", [0], '"golden" is none of gold, prior'),
        ("gold", [0.5], r"gold: classes \[N\] are expected"),
        ("gold", [], "gold: "),
        ("gold_weight", [[0.5, 0.5]], r"gold_weight: numbers \[N\] are expected"),
        ("gold_weight", ["heavy"], r"gold_weight: numbers \[N\] are expected"),
        ("prior", [0.5, 0.5], "prior: numbers in two dimensions"),
        ("features", [["a"]], "features: numbers in two dimensions"),
        ("groups", [0.5], "groups: names or numbers"),
        ("bags", 3, "bags: expected is what class_counts"),
        ("bags", [], "bags: there are none"),
    ],
)
async def test_what_cannot_be_read_is_refused(client: Any, project: str, kind: str, values: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        await client.upload_side_data(project, kind, values)


async def test_what_the_server_refuses(client: Any, project: str) -> None:
    await client.create_project(project, classes=CLASSES)
    with pytest.raises(InvalidArgument, match=r"row 1: 3 is outside -1\.\.2"):
        await client.upload_side_data(project, "gold", [0, 3])
    with pytest.raises(InvalidArgument, match="row 1: -1 is below 0"):
        await client.upload_side_data(project, "gold_weight", [0, -1])
    with pytest.raises(InvalidArgument, match="there is no gold that it could weigh"):
        await client.fit(project, gold_weight=[1, 1])
    with pytest.raises(ValueError, match=r"gold_sampling: one of auto, random, by_class is expected, got 'active'"):
        await client.fit(project, gold=[0, 1], gold_sampling="active")
    unchecked = wc.Bags("class_counts", np.array([0, 1]), np.array([0, 0]), np.ones((1, 3)))
    with pytest.raises(InvalidArgument, match="bag 0 has 2 items, but its counts sum to 3"):
        await client.upload_side_data(project, "bags", unchecked)
    with pytest.raises(ValueError, match="bag 0 has 2 items, but its counts sum to 3"):  # nothing is sent
        wc.class_counts([[1, 1, 1]], [[0, 1]])


def test_bags_of_all_items_travel_as_lists_of_items(waiting: wc.Client, project: str) -> None:
    """Bag 1 has no items, and some items are in no bag: only what bag_of says of the others arrives."""
    votes, truth = simulated()
    bag_of = np.repeat([2, -1, 0], [20, 260, 20])[np.random.default_rng(2).permutation(300)]
    counts = [np.bincount(truth[bag_of == bag], minlength=3) for bag in range(3)]
    bags = wc.class_counts(counts, bag_of=bag_of)
    own = LabelModel(classes=CLASSES).fit(votes, bags=bags)
    waiting.create_project(project, classes=CLASSES)
    waiting.upload_votes(project, votes)
    uploaded = waiting.upload_side_data(project, "bags", bags)
    assert uploaded.n_rows == 2
    model = waiting.fit(project, bags=uploaded).result(timeout=120)
    expected = own.predict_proba(votes, bags=bags)
    np.testing.assert_allclose(waiting.soft_labels(project, model=model.name), expected, atol=2e-5)
    assert np.abs(expected - LabelModel(classes=CLASSES).fit(votes).predict_proba(votes)).max() > 0.1
    np.testing.assert_allclose(waiting.predict(project, votes, bags=bags), expected, atol=2e-5)
    with pytest.raises(ValueError, match="bag_of is given for 300 items, but there are 50 to predict"):
        waiting.predict(project, votes.select_items(np.arange(50)), bags=bags)


def test_bags_and_votes_of_the_client_are_those_of_the_library() -> None:
    for name in ("class_counts", "proportions", "at_least_one", "none_of", "same_label", "different_label", "Bags"):
        assert getattr(wc, name) is getattr(library, name) is getattr(weaklabel, name)
    for name in ("one_of", "not_", "soft"):
        assert getattr(wc, name) is getattr(symbols, name) is getattr(weaklabel, name)
    for name in ("CandidateSet", "Complement", "SoftVote"):
        assert getattr(wc, name) is getattr(symbols, name)


def test_bags_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="bag 1 must list items"):
        wc.same_label([["a"], [1]])
    with pytest.raises(ValueError, match="values are given for 2 bags, but items for 1"):
        wc.class_counts([[1, 0], [0, 1]], [[0]])
