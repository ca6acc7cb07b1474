"""The label model that people hold: recovery, symmetries, odd but legal input, keeping and loading."""

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from weaklabel import ABSTAIN, LabelModel, MajorityVote, Votes
from weaklabel.errors import InvalidArgumentError, InvalidVotesError, ModelFileError, NotFittedError
from weaklabel.model import FitProgress
from weaklabel.model.dependence.copies import with_families
from weaklabel.model.layout.copy_weights import vote_weights

TWIN_NOISE = 0.02
"""Independence is tested against simulated votes; with sources or classes in another order, others are drawn."""


def simulate(
    n_items: int,
    accuracy: Any,
    n_classes: int,
    *,
    seed: int = 0,
    coverage: float = 1.0,
    balance: Any = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Votes of independent sources, errors uniform over the wrong classes; and the truth."""
    rng = np.random.default_rng(seed)
    accuracy = np.asarray(accuracy)
    truth = rng.choice(n_classes, n_items, p=balance)
    shape = (n_items, len(accuracy))
    wrong = (truth[:, None] + rng.integers(1, n_classes, shape)) % n_classes
    votes = np.where(rng.random(shape) < accuracy, truth[:, None], wrong)
    return np.where(rng.random(shape) < coverage, votes, ABSTAIN), truth


def oracle(votes: NDArray[np.int64], accuracy: Any, balance: Any) -> NDArray[np.float64]:
    """[N, K] posterior with the true accuracies: what no model can beat."""
    n_classes = len(balance)
    log_joint = np.tile(np.log(balance), (len(votes), 1))
    for m, a in enumerate(accuracy):
        for k in range(n_classes):
            log_joint[votes[:, m] == k] += np.where(
                np.arange(n_classes) == k, np.log(a), np.log((1 - a) / (n_classes - 1))
            )
    p = np.exp(log_joint - log_joint.max(1, keepdims=True))
    return np.asarray(p / p.sum(1, keepdims=True))


@pytest.mark.parametrize("n_classes", [2, 4])
def test_independent_sources_are_recovered(n_classes: int) -> None:
    accuracy = np.linspace(0.55, 0.9, 9)
    votes, truth = simulate(4000, accuracy, n_classes, coverage=0.8)
    model = LabelModel(n_classes).fit(votes)
    best = oracle(votes, accuracy, np.full(n_classes, 1 / n_classes))
    reached = (model.predict(votes) == truth).mean()
    assert reached > (best.argmax(1) == truth).mean() - 0.01
    assert reached > (MajorityVote(n_classes).predict(votes, "random") == truth).mean() + 0.01
    assert model.converged
    np.testing.assert_allclose(model.source_accuracy, accuracy, atol=0.05)
    np.testing.assert_allclose(model.class_balance, 1 / n_classes, atol=0.03)


def test_a_third_of_adversaries_does_not_win() -> None:
    votes, truth = simulate(4000, [0.8] * 6 + [0.25] * 3, 2, coverage=0.8)
    model = LabelModel(2).fit(votes)
    assert (model.predict(votes) == truth).mean() > (MajorityVote(2).predict(votes, "random") == truth).mean() + 0.03
    assert (model.source_accuracy[6:] < 0.5).all()


def test_copies_of_a_source_change_next_to_nothing() -> None:
    votes, _ = simulate(3000, [0.7, 0.72, 0.68, 0.75], 3, coverage=0.8)
    copied = np.concatenate([votes, np.repeat(votes[:, :1], 5, axis=1)], axis=1)
    alone = LabelModel(3).fit(votes).predict_proba(votes)
    crowded = LabelModel(3).fit(copied).predict_proba(copied)
    moved = np.abs(alone - crowded).max(1)
    assert np.median(moved) < 0.001
    assert moved.mean() < 0.02


@pytest.mark.parametrize("n_classes", [2, 4])
def test_accurate_and_independent_sources_are_not_taken_for_copies(n_classes: int) -> None:
    accuracy = np.linspace(0.85, 0.97, 50)
    matrix, _ = simulate(1500, accuracy, n_classes)
    assert LabelModel(n_classes).fit(matrix).diagnostics.copies == ()


def test_an_identical_source_is_found() -> None:
    votes, _ = simulate(500, [0.7, 0.75, 0.8, 0.65], 2, coverage=0.7)
    model = LabelModel(2).fit(np.concatenate([votes, votes[:, 1:2]], axis=1))
    assert model.diagnostics.copies == (("source_1", "source_4"),)
    assert model.diagnostics.views == pytest.approx(4)


def test_sources_of_one_family_share_their_weight() -> None:
    accuracy = [0.7, 0.7, 0.7]
    matrix, _ = simulate(800, accuracy, 2, coverage=0.9)
    votes = Votes.from_dense(matrix, 2, sources=["a", "b", "c"])
    plain, family = LabelModel(2).fit(votes), LabelModel(2).fit(votes, families={"a": "one", "b": "one"})
    agreed = np.array([[1, 1, -1]])
    surer, other = plain.predict_proba(agreed)[0, 1], family.predict_proba(agreed)[0, 1]
    assert 0.5 < other < surer
    # Nothing changes where only one of the family votes: one over one.
    weights = vote_weights(votes, with_families(sp.csr_array((3, 3)), np.array([0, 0, -1], np.int32), 0.5))
    rows, sources, _ = votes.triples()
    assert weights is not None
    both: NDArray[np.bool_] = np.all(matrix[:, :2] >= 0, axis=1)
    together = both[rows] & (sources < 2)
    np.testing.assert_allclose(weights, np.where(together, 1 / 1.5, 1.0), rtol=1e-6)
    with pytest.raises(InvalidArgumentError, match="no source 'x'"):
        LabelModel(2).fit(votes, families={"x": "one"})


def test_the_same_votes_give_the_same_bits() -> None:
    votes, _ = simulate(500, [0.6, 0.7, 0.8, 0.75], 3, coverage=0.7)
    first, second = (LabelModel(3, seed=4).fit(votes) for _ in range(2))
    assert np.array_equal(first.predict_proba(votes), second.predict_proba(votes))
    assert np.array_equal(first.objective, second.objective)


def test_watching_a_fit_changes_nothing() -> None:
    votes, _ = simulate(300, [0.55, 0.6, 0.65, 0.6], 3, coverage=0.7)
    seen: list[FitProgress] = []
    watched = LabelModel(3).fit(votes, progress=seen.append)
    plain = LabelModel(3).fit(votes)
    assert np.array_equal(watched.predict_proba(votes), plain.predict_proba(votes))
    assert seen[-1].iteration == watched.n_iter == plain.n_iter
    assert [step.iteration for step in seen] == sorted({step.iteration for step in seen})
    assert seen[-1].objective == pytest.approx(watched.objective[-1])


def test_a_fit_can_be_cancelled_and_leaves_the_model_as_it_was() -> None:
    votes, _ = simulate(300, [0.6, 0.7, 0.8], 2)
    model = LabelModel(2).fit(votes)
    before = model.predict_proba(votes)

    def cancel(_: FitProgress) -> None:
        raise InterruptedError("enough")

    with pytest.raises(InterruptedError, match="enough"):
        model.fit(1 - votes, progress=cancel)
    assert np.array_equal(model.predict_proba(votes), before)


def test_permuting_items_permutes_the_answer() -> None:
    votes, _ = simulate(400, [0.6, 0.7, 0.8, 0.75], 3, coverage=0.7)
    items = np.random.default_rng(1).permutation(400)
    plain = LabelModel(3).fit(votes).predict_proba(votes)
    shuffled = LabelModel(3).fit(votes[items]).predict_proba(votes[items])
    np.testing.assert_allclose(shuffled, plain[items], atol=2e-4)


def test_permuting_sources_changes_next_to_nothing() -> None:
    votes, _ = simulate(400, [0.6, 0.7, 0.8, 0.75], 3, coverage=0.7)
    sources = np.random.default_rng(1).permutation(4)
    plain = LabelModel(3).fit(votes).predict_proba(votes)
    shuffled = LabelModel(3).fit(votes[:, sources]).predict_proba(votes[:, sources])
    np.testing.assert_allclose(shuffled, plain, atol=TWIN_NOISE)


def test_permuting_classes_permutes_the_answer() -> None:
    votes, _ = simulate(400, [0.6, 0.7, 0.8, 0.75], 3, coverage=0.7)
    renamed = np.array([2, 0, 1, ABSTAIN])
    plain = LabelModel(3).fit(votes).predict_proba(votes)
    shuffled = LabelModel(3).fit(renamed[votes]).predict_proba(renamed[votes])
    np.testing.assert_allclose(shuffled[:, renamed[:3]], plain, atol=TWIN_NOISE)


def test_dense_and_sparse_votes_give_the_same_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    votes, _ = simulate(300, [0.6, 0.7, 0.8, 0.75], 3, coverage=0.5)
    rows, columns = np.nonzero(votes >= 0)
    triples = Votes.from_triples(rows, columns, votes[rows, columns], n_classes=3, n_items=300, n_sources=4)
    dense = LabelModel(3).fit(votes).predict_proba(votes)
    monkeypatch.setattr("weaklabel.model.layout.choice.is_dense", lambda *_: False)
    monkeypatch.setattr("weaklabel.model.prediction.is_dense", lambda *_: False)
    np.testing.assert_allclose(LabelModel(3).fit(triples).predict_proba(triples), dense, atol=2e-4)


def test_rows_without_votes_are_uniform() -> None:
    votes, _ = simulate(300, [0.8, 0.8, 0.8, 0.8], 3, balance=[0.6, 0.3, 0.1])
    votes[::7] = ABSTAIN
    p = LabelModel(3).fit(votes).predict_proba(votes)
    np.testing.assert_allclose(p[::7], 1 / 3, rtol=1e-6)


ODD = {
    "one source": (np.array([[0], [1], [1]]), 2),
    "two sources": (np.array([[0, 1], [1, 1], [1, -1]]), 2),
    "one item": (np.array([[0, 1, 1]]), 2),
    "one class seen": (np.array([[1, 1, 1, 1], [1, -1, -1, 1], [1, 1, 1, -1]]), 3),
    "all abstain": (np.full((4, 3), -1), 2),
    "constant sources": (np.tile([0, 1, 1, 0], (50, 1)), 2),
    "no items": (np.empty((0, 3), int), 2),
    "a silent source": (np.array([[0, -1, 0], [1, -1, 1], [0, -1, 1]]), 2),
    "sources in conflict": (np.tile([[0, 1], [1, 0]], (40, 1)), 2),
    "1,000 sources": (np.random.default_rng(0).integers(-1, 2, (30, 1000)), 2),
    "1,000 classes": (np.random.default_rng(0).integers(-1, 1000, (60, 5)), 1000),
    "many sources and classes": (np.random.default_rng(0).integers(-1, 300, (40, 400)), 300),
}


@pytest.mark.filterwarnings("ignore::weaklabel.model.ConvergenceWarning")
@pytest.mark.parametrize("name", ODD)
def test_odd_but_legal_input(name: str) -> None:
    votes, n_classes = ODD[name]
    model = LabelModel(n_classes).fit(votes)
    p, called = model.label(votes)
    assert p.shape == (len(votes), n_classes)
    assert p.dtype == np.float32
    assert np.isfinite(p).all()
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-5)
    assert ((called >= -1) & (called < n_classes)).all()
    assert np.isfinite(model.source_accuracy).all()
    assert np.isfinite(model.class_balance).all()
    assert np.isfinite(model.objective).all()
    again = LabelModel.from_bytes(model.to_bytes())
    soft, labels = again.label(votes)
    assert np.array_equal(soft, p)
    assert np.array_equal(labels, called)


def test_ties_are_called_by_the_policy() -> None:
    votes = np.array([[0, 1], [0, 1], [1, 1], [0, 0]] * 20)
    model = LabelModel(2, seed=3).fit(np.concatenate([votes, votes[:, ::-1]]))
    assert model.predict(votes)[0] == ABSTAIN
    chosen = model.predict(votes, tie_break_policy="random")
    assert set(chosen[::4]) <= {0, 1}
    assert np.array_equal(chosen, model.predict(votes, tie_break_policy="random"))
    assert set(model.predict(votes, tie_break_policy="true-random")) <= {0, 1}
    with pytest.raises(InvalidArgumentError, match="'abstain', 'random', 'true-random'"):
        model.predict(votes, tie_break_policy="coin")  # type: ignore[arg-type]


def test_sources_are_matched_by_name() -> None:
    matrix, _ = simulate(300, [0.6, 0.7, 0.9], 2)
    model = LabelModel(2).fit(Votes.from_dense(matrix, 2, sources=["a", "b", "c"]))
    turned = Votes.from_dense(matrix[:, [2, 0]], 2, sources=["c", "a"])
    without = matrix.copy()
    without[:, 1] = ABSTAIN
    assert np.array_equal(model.predict_proba(turned), model.predict_proba(without))
    with pytest.raises(InvalidVotesError, match="'d' is not known"):
        model.predict(Votes.from_dense(matrix, 2, sources=["a", "b", "d"]))


def test_columns_of_a_frame_are_matched_by_name() -> None:
    matrix, _ = simulate(300, [0.6, 0.7, 0.9], 2)
    frame = pd.DataFrame(matrix, columns=["a", "b", "c"])
    model = LabelModel(2).fit(frame)
    assert model.source_names == ("a", "b", "c")
    assert np.array_equal(model.predict_proba(frame[["c", "a", "b"]]), model.predict_proba(matrix))


def test_saved_and_loaded_models_give_the_same_bits(tmp_path: Path) -> None:
    votes, _ = simulate(500, [0.6, 0.7, 0.8, 0.75], 3, coverage=0.6)
    votes = np.concatenate([votes, np.repeat(votes[:, :1], 5, axis=1)], axis=1)  # so that there are scores to keep
    model = LabelModel(classes=["a", "b", "c"], seed=5).fit(votes)
    model.save(tmp_path / "model.npz")
    again = LabelModel.load(tmp_path / "model.npz")
    assert np.array_equal(again.predict_proba(votes), model.predict_proba(votes))
    assert np.array_equal(again.label(votes)[0], model.predict_proba(votes))
    assert (again.classes, again.seed, again.n_iter) == (model.classes, 5, model.n_iter)
    assert again.source_names == model.source_names
    assert again.warnings == model.warnings
    for name in ("class_balance", "source_accuracy", "coverage", "objective"):
        assert np.array_equal(getattr(again, name), getattr(model, name))


class _Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path("/tmp/weaklabel-was-here").touch, ())


def _with(data: bytes, name: str, content: bytes) -> bytes:
    """The archive with one member replaced."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        for member in old.namelist():
            new.writestr(member, content if member == name else old.read(member))
    return buffer.getvalue()


def _array(value: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, value, allow_pickle=value.dtype == object)
    return buffer.getvalue()


def test_files_that_are_no_models_are_refused() -> None:
    votes, _ = simulate(100, [0.6, 0.7, 0.8], 2)
    data = LabelModel(2).fit(votes).to_bytes()
    bomb = np.array([_Bomb()], dtype=object)
    bad = {
        "nothing": b"",
        "noise": b"\x00\xff" * 100,
        "pickle": pickle.dumps({"a": 1}),
        "half a file": data[: len(data) // 2],
        "a pickled array": _with(data, "params.labels.log_prior.npy", _array(bomb)),
        "another shape": _with(data, "params.sources.confusion.npy", _array(np.zeros((1, 2, 2), np.float32))),
        "not a number": _with(data, "calibration.labels.log_prior.npy", _array(np.full(2, np.nan, np.float32))),
        "packed in an unknown way": data.replace(b"PK\x01\x02", b"PK\x01\x03", 1),
        "another program's": _with(data, "header.npy", _array(np.frombuffer(b'{"format": "x"}', np.uint8))),
    }
    for what, content in bad.items():
        with pytest.raises(ModelFileError):
            LabelModel.from_bytes(content)
        assert not Path("/tmp/weaklabel-was-here").exists(), what


def test_damaged_files_are_refused_or_harmless() -> None:
    votes, _ = simulate(100, [0.6, 0.7, 0.8], 2)
    data = LabelModel(2).fit(votes).to_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(data)
        for place in rng.integers(0, len(data), 3):
            damaged[place] = rng.integers(256)
        try:
            p = LabelModel.from_bytes(bytes(damaged)).predict_proba(votes)
        except ModelFileError:
            refused += 1
        else:
            assert np.isfinite(p).all()
    assert refused > 100


def test_a_file_that_unpacks_to_too_much_is_refused() -> None:
    votes, _ = simulate(100, [0.6, 0.7, 0.8], 2)
    data = LabelModel(2).fit(votes).to_bytes()
    with pytest.raises(ModelFileError, match="at most 1,000 are read"):
        LabelModel.from_bytes(data, most_bytes=1000)


def test_a_loaded_model_fits_as_it_was_asked_to() -> None:
    votes, _ = simulate(100, [0.6, 0.7, 0.8], 2)
    for asked in (None, "one_coin"):
        loaded = LabelModel.from_bytes(LabelModel(2, source_model=asked, sample_rows=50).fit(votes).to_bytes())
        assert (loaded.source_model, loaded.sample_rows) == (asked, 50)
        again = LabelModel(2, source_model=asked, sample_rows=50).fit(votes).predict_proba(votes)
        np.testing.assert_array_equal(loaded.fit(votes).predict_proba(votes), again)


def test_a_model_of_a_newer_version_says_so() -> None:
    header = b'{"format": "weaklabel label model", "version": 99}'
    buffer = io.BytesIO()
    np.savez(buffer, header=np.frombuffer(header, np.uint8))
    with pytest.raises(ModelFileError, match=r"^the model has format version 99; this library reads 1 to 5$"):
        LabelModel.from_bytes(buffer.getvalue())


def test_misuse_is_refused_with_what_to_do() -> None:
    model = LabelModel(2)
    with pytest.raises(NotFittedError, match=r"call fit\(votes\) first"):
        model.predict([[0, 1]])
    with pytest.raises(NotFittedError, match="call fit"):
        model.to_bytes()
    with pytest.raises(InvalidVotesError, match="at least one source"):
        model.fit(np.empty((3, 0), int))
    model.fit([[0, 1, 1], [1, 1, 0]])
    with pytest.raises(InvalidVotesError, match="fitted on 3 sources, the votes have 2 columns"):
        model.predict([[0, 1]])
    with pytest.raises(InvalidVotesError, match="label 2 is outside"):
        model.predict([[0, 1, 2]])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give n_classes, or the names"),
        ({"n_classes": 1}, "at least 2"),
        ({"n_classes": np.int64(1)}, "at least 2"),
        ({"classes": ["a"]}, "at least two"),
        ({"classes": ["a", "a"]}, "'a' appears twice"),
        ({"classes": "ab"}, "list of names"),
        ({"n_classes": 3, "classes": ["a", "b"]}, "n_classes is 3, 2 names"),
        ({"n_classes": 2, "max_iter": 0}, "max_iter"),
        ({"n_classes": 2, "tol": 0.0}, "tol"),
    ],
)
def test_bad_settings_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        LabelModel(**options)


def test_the_score_is_the_share_called_rightly() -> None:
    votes, truth = simulate(200, [0.9, 0.9, 0.9], 2)
    model = LabelModel(2).fit(votes)
    gold = np.where(np.arange(200) < 50, truth, -1)
    assert model.score(votes, gold) == pytest.approx((model.predict(votes)[:50] == truth[:50]).mean())
    with pytest.raises(InvalidArgumentError, match="no label"):
        model.score(votes, np.full(200, -1))
    with pytest.raises(InvalidArgumentError, match="shape"):
        model.score(votes, gold[:10])


def test_majority_vote_shares_ties() -> None:
    p = MajorityVote(3).fit([[0, 1]]).predict_proba([[0, 1, 1], [-1, -1, -1], [2, 0, -1]])
    np.testing.assert_allclose(p, [[1 / 3, 2 / 3, 0], [1 / 3] * 3, [0.5, 0, 0.5]], rtol=1e-6)
    assert MajorityVote(3).predict([[0, 1, 1], [2, 0, -1]]).tolist() == [1, ABSTAIN]


@pytest.mark.parametrize(("coverage", "n_sources"), [(0.7, 4), (0.02, 40)], ids=["dense", "mostly silent"])
@pytest.mark.parametrize("as_triples", [False, True])
def test_soft_labels_are_the_callers_own(coverage: float, n_sources: int, as_triples: bool) -> None:
    matrix, _ = simulate(256, [0.7] * n_sources, 3, coverage=coverage)
    votes = Votes.from_dense(matrix, 3)
    if as_triples:
        rows, columns = np.nonzero(matrix >= 0)
        votes = Votes.from_triples(rows, columns, matrix[rows, columns], n_classes=3, n_items=256, n_sources=n_sources)
    soft = LabelModel(3).fit(votes).predict_proba(votes)
    soft[0] = 1 / 3


def test_of_many_classes_soft_labels_are_as_good_as_the_parameters_allow() -> None:
    # Ten sources of one accuracy each, four of them on each item: the best possible soft labels know these.
    rng, n_classes, n_items = np.random.default_rng(12), 50, 3000
    accuracy, truth = rng.uniform(0.3, 0.7, 10), rng.integers(0, n_classes, n_items)
    wrong = (truth[:, None] + rng.integers(1, n_classes, (n_items, 10))) % n_classes
    votes = np.where(rng.random((n_items, 10)) < accuracy, truth[:, None], wrong)
    votes[rng.random((n_items, 10)).argsort(1) >= 4] = -1
    log_joint = np.zeros((n_items, n_classes))
    for m, a in enumerate(accuracy):
        voted = np.flatnonzero(votes[:, m] >= 0)
        log_joint[voted, votes[voted, m]] += np.log(a * (n_classes - 1) / (1 - a))
    best = np.exp(log_joint - np.logaddexp.reduce(log_joint, axis=1, keepdims=True))
    p = LabelModel(n_classes).fit(votes).predict_proba(votes)
    at = np.arange(n_items), truth
    assert -np.log(np.maximum(p[at], 1e-6)).mean() < -np.log(best[at]).mean() + 0.06
