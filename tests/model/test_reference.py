"""The default model against its equations in docs/label-model.md, written cell by cell in float64.

How far independence is refuted, and which sources are copies, is taken from the fit: tests/model/dependence has that.
"""

from itertools import product

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax

from weaklabel import LabelModel, Votes
from weaklabel.model.calibration.decision import decide
from weaklabel.model.calibration.fitting import fit_calibration
from weaklabel.model.calibration.tempering import calibrate_votes
from weaklabel.model.dependence.independence import Independence
from weaklabel.model.em.loop import run, start
from weaklabel.model.labels.classes import ClassPrior
from weaklabel.model.layout.choice import lay_out
from weaklabel.model.layout.deduplication import UniqueRows, deduplicate
from weaklabel.model.preparation.prepare import Prepared, prepare
from weaklabel.model.settings import Settings
from weaklabel.model.sources.confusion import ConfusionMatrices
from weaklabel.model.sources.unipolarity import unipolarity

SETTINGS = Settings()


def problem(n_classes: int, seed: int) -> NDArray[np.int64]:
    """Two sources that use all classes, one unipolar source a class, a copy of the first; some items without votes."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, 90)
    columns = []
    for accuracy in (0.7, 0.8, 0.65):
        votes = np.where(rng.random(90) < accuracy, truth, rng.integers(0, n_classes, 90))
        columns.append(np.where(rng.random(90) < 0.5, votes, -1))
    for k in range(n_classes):
        fires = rng.random(90) < np.where(truth == k, 0.5, 0.1)
        columns.append(np.where(fires, k, -1))
    columns.append(columns[0])
    matrix = np.stack(columns, axis=1)
    matrix[::9] = -1
    return matrix


def classes_lacking(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """[M] what each source lacks of the classes that it would use if it voted as all do, beyond one."""
    n_sources, k = counts.shape
    shares = (counts.sum(0) + 0.5) / (counts.sum() + 0.5 * k)
    found = np.zeros(n_sources)
    for a in range(n_sources):
        expected = sum(1 - (1 - shares[c]) ** counts[a].sum() for c in range(k))
        used = sum(counts[a, c] > 0 for c in range(k))
        if counts[a].sum() > 0:
            found[a] = min(max((expected - used) / max(expected - 1, 0.3), 0), 1)
    return found


class Reference:
    """The equations, item by item and source by source."""

    def __init__(self, matrix: NDArray[np.int64], k: int, copies: NDArray[np.float64], found: Independence) -> None:
        self.votes, self.k, self.doubt = matrix, k, found.doubt
        n, m = matrix.shape
        self.share = np.zeros((n, m))
        for i in range(n):
            for a in range(m):
                if matrix[i, a] >= 0:
                    self.share[i, a] = 1 / (1 + sum(copies[a, b] for b in range(m) if matrix[i, b] >= 0))
        self.shown = np.array([[(matrix[:, a] == c).sum() for c in range(k)] for a in range(m)], float)
        self.unipolarity = classes_lacking(self.shown)
        self.independence = self.share.sum(0) / np.maximum((matrix >= 0).sum(0), 1)
        once = self.shown.sum(1) * self.independence
        self.mean_unipolarity = float((self.unipolarity * once).sum() / once.sum())
        self.tally = np.array([[self.share[i, matrix[i] == c].sum() for c in range(k)] for i in range(n)])
        self.n_votes = self.tally.sum(1)
        of_all = (self.shown * self.independence[:, None]).sum(0) + 0.5
        smoothing = (1 - self.mean_unipolarity) * of_all / of_all.sum() + self.mean_unipolarity / k
        self.share_prior = (self.tally + 0.5 * smoothing) / (self.n_votes + 0.5)[:, None]
        self.share_prior[self.n_votes == 0] = 1 / k
        self.weight = (self.n_votes > 0).astype(float)
        self.share_weight = np.where(self.n_votes > 0, found.hold, 1.0)
        self.q = self.share_prior.copy()

    def iterate(self) -> None:
        n, m, k, w = len(self.votes), self.votes.shape[1], self.k, self.weight
        counts = np.zeros((m, k, k))
        for i in range(n):
            for a in range(m):
                if self.votes[i, a] >= 0:
                    counts[a, self.votes[i, a]] += w[i] * self.q[i]
        self.totals = w @ self.q + 1
        self.log_balance = np.log(self.totals / self.totals.sum())
        n_votes = counts.sum((1, 2))
        correct = np.array([np.trace(counts[a]) for a in range(m)])
        overall = ((self.independence * correct).sum() + 5 * 0.75) / ((self.independence * n_votes).sum() + 5)
        accuracy = np.clip((correct + 5 * overall) / (n_votes + 5), 1 / k, 0.999)
        pooled = sum(self.independence[a] * counts[a] for a in range(m))
        cells = (1 - self.doubt) * k**2
        errors = np.where(np.eye(k) == 1, 0, pooled + max(k, cells) * (1 - overall) / (k - 1))
        shape = errors / errors.sum(0)
        mass = max(8, 0.1 * cells)
        self.log_likelihoods = np.zeros((m, k, k))
        self.confusion = np.zeros((m, k, k))
        for a in range(m):
            centre = np.where(np.eye(k) == 1, accuracy[a], (1 - accuracy[a]) * shape)
            recall = counts[a] + mass * centre + 0.5 / k
            self.confusion[a] = recall / recall.sum(0)
            shown = (self.shown[a] > 0)[:, None]
            precision = counts[a] + 120 * centre * shown + 0.5 / k
            by_precision = np.log(precision / precision.sum(1, keepdims=True)) - self.log_balance
            share = self.unipolarity[a]
            self.log_likelihoods[a] = (1 - share) * np.log(self.confusion[a]) + share * by_precision
        of_shares = w @ self.share_prior + 1
        by_shares = np.log(of_shares / of_shares.sum())
        self.log_prior = (1 - self.mean_unipolarity) * self.log_balance + self.mean_unipolarity * by_shares
        model = softmax(self.log_prior + self.gather(), axis=1)
        self.q = (1 - self.share_weight[:, None]) * model + self.share_weight[:, None] * self.share_prior

    def gather(self) -> NDArray[np.float64]:
        """Log-likelihood of each item's votes."""
        found = np.zeros((len(self.votes), self.k))
        for i, row in enumerate(self.votes):
            for a, vote in enumerate(row):
                if vote >= 0:
                    found[i] += self.share[i, a] * self.log_likelihoods[a, vote]
        return found

    def soft_labels(self) -> NDArray[np.float64]:
        """n votes are worth n / (1 + .45 z (n - 1)), z = doubt (1 - u^2) and u the mean unipolarity; the posterior is
        pooled geometrically with the vote shares, by .5 u^2.
        """
        unipolar = self.mean_unipolarity**2
        doubt, shares_weigh = (1 - unipolar) * self.doubt, 0.5 * unipolar
        worth = 1 / (1 + 0.45 * doubt * (np.maximum(self.n_votes, 1) - 1))
        log_posterior = worth[:, None] * (self.log_balance + self.gather())
        shares = (self.tally + 1 / self.k) / (self.n_votes + 1)[:, None]
        pooled = softmax((1 - shares_weigh) * log_posterior + shares_weigh * np.log(shares), axis=1)
        return np.where(self.n_votes[:, None] > 0, pooled, 1 / self.k)


def of_items(unique: UniqueRows, matrix: NDArray[np.int64], rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values of the distinct rows as values of the items."""
    same = (matrix[:, None, :] == unique.votes.to_dense()[None]).all(2)
    return np.asarray(rows[same.argmax(1)])


def prepared_with(unique: UniqueRows, found: Independence | None, monkeypatch: pytest.MonkeyPatch) -> Prepared:
    if found is not None:
        monkeypatch.setattr("weaklabel.model.preparation.prepare.check_independence", lambda *_, **__: found)
    return prepare(unique, SETTINGS, ClassPrior)


STANDS = Independence(doubt=0.0, hold=0.1, correlation=0.0, residual=0.0, effective_sources=5)
PARTLY_REFUTED = Independence(doubt=0.4, hold=0.3, correlation=0.05, residual=0.028, effective_sources=5)


@pytest.mark.parametrize("found", [None, STANDS, PARTLY_REFUTED], ids=["as found", "stands", "partly refuted"])
@pytest.mark.parametrize("n_classes", [pytest.param(2, marks=pytest.mark.slow), 3, 10])  # of two, a minute
def test_the_model_is_what_its_equations_say(
    n_classes: int, found: Independence | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix = problem(n_classes, seed=n_classes)
    votes = Votes.from_dense(matrix, n_classes)
    unique = deduplicate(votes)
    prepared = prepared_with(unique, found, monkeypatch)
    rows, profile, copies = prepared.rows, prepared.profile, prepared.copies
    assert copies.nnz == 2  # the copy and its original
    reference = Reference(matrix, n_classes, copies.toarray(), prepared.independence)
    assert 0.1 < reference.mean_unipolarity < 0.9  # both forms of evidence count
    state = start(rows, profile, SETTINGS, source_model=ConfusionMatrices, label_space=ClassPrior, max_iter=4)
    for n_iter in range(1, 5):
        state = run(rows, profile, state, SETTINGS, jnp.int32(n_iter), jnp.float32(0))
        reference.iterate()
        sources, labels = state.params
        assert isinstance(sources, ConfusionMatrices)
        np.testing.assert_allclose(sources.log_likelihoods, reference.log_likelihoods, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(sources.confusion, reference.confusion, atol=1e-5)
        np.testing.assert_allclose(labels.log_prior, reference.log_prior, rtol=1e-5, atol=1e-5)
        watched = np.asarray(state.watched)[prepared.places]
        np.testing.assert_allclose(of_items(unique, matrix, watched), reference.q, atol=1e-5)
    calibration = fit_calibration(state.params, profile, SETTINGS, prepared.independence)
    soft = calibrate_votes(lay_out(votes, copies), calibration, 0.5, n_sources=votes.n_sources)
    np.testing.assert_allclose(soft[: len(matrix)], reference.soft_labels(), atol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_fit_of_the_library_is_the_reference_run_to_its_end(n_classes: int) -> None:
    matrix = problem(n_classes, seed=n_classes + 10)
    votes = Votes.from_dense(matrix, n_classes)
    model = LabelModel(n_classes).fit(votes)
    prepared = prepare(deduplicate(votes), SETTINGS, ClassPrior)
    reference = Reference(matrix, n_classes, prepared.copies.toarray(), prepared.independence)
    for _ in range(model.n_iter):
        reference.iterate()
    np.testing.assert_allclose(model.predict_proba(votes), reference.soft_labels(), atol=1e-5)
    np.testing.assert_allclose(model.class_balance, reference.totals / reference.totals.sum(), atol=1e-5)


def test_unipolarity_is_what_a_source_lacks_of_the_classes_it_would_use() -> None:
    counts = np.array([[4, 0, 1], [2, 2, 1], [0, 5, 0], [3, 0, 0], [0, 0, 0]], float)
    shares = (counts.sum(0) + 0.5) / (counts.sum() + 1.5)
    for row, seen in zip(counts, unipolarity(counts), strict=True):
        n_votes = int(row.sum())
        # Expected number of classes in so many votes that are drawn from all: by enumeration.
        draws = product(range(3), repeat=n_votes)
        expected = sum(np.prod(shares[list(drawn)]) * len(set(drawn)) for drawn in draws)
        lacking = (expected - (row > 0).sum()) / max(expected - 1, 0.3)
        assert seen == pytest.approx(np.clip(lacking, 0, 1) if n_votes else 0, abs=1e-9)


def test_ties_are_called_within_the_noise_of_float32() -> None:
    scores = np.array([[0.5, 0.5 + 5e-7], [0.5, 0.5 + 5e-6], [0.2, 0.8]])
    assert decide(scores, "abstain", 0).tolist() == [-1, 1, 1]
