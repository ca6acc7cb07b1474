"""The whole default model against its equations in docs/label-model.md, written cell by cell in float64."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import softmax
from scipy.stats import dirichlet_multinomial

from weaklabel.model.calibration.decision import decide
from weaklabel.model.calibration.fitting import fit_calibration
from weaklabel.model.calibration.tempering import calibrate_votes
from weaklabel.model.em.loop import run, start
from weaklabel.model.em.statistics import statistics
from weaklabel.model.labels.classes import ClassPrior
from weaklabel.model.layout.choice import lay_out
from weaklabel.model.layout.deduplication import UniqueRows, deduplicate
from weaklabel.model.preparation.prepare import prepare
from weaklabel.model.settings import Settings
from weaklabel.model.sources.confusion import ConfusionMatrices
from weaklabel.model.sources.duplicates import copy_scores
from weaklabel.model.sources.unipolarity import unipolarity
from weaklabel.votes import Votes

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


class Reference:
    """The equations, item by item and source by source."""

    def __init__(self, matrix: NDArray[np.int64], k: int, copies: NDArray[np.float64], gold: NDArray[np.int64]) -> None:
        self.votes, self.k, self.s, self.gold = matrix, k, SETTINGS, gold
        n, m = matrix.shape
        self.share = np.zeros((n, m))
        for i in range(n):
            for a in range(m):
                if matrix[i, a] >= 0:
                    with_it = sum(copies[a, b] for b in range(m) if matrix[i, b] == matrix[i, a])
                    self.share[i, a] = 1 / (1 + with_it)
        self.shown = np.array([[(matrix[:, a] == c).sum() for c in range(k)] for a in range(m)], float)
        self.unipolarity = unipolarity(self.shown)
        voted = matrix >= 0
        self.independence = self.share.sum(0) / np.maximum(voted.sum(0), 1)
        once = self.shown.sum(1) * self.independence
        self.mean_unipolarity = float((self.unipolarity * once).sum() / once.sum())
        self.tally = np.array([[self.share[i, matrix[i] == c].sum() for c in range(k)] for i in range(n)])
        self.n_votes = self.tally.sum(1)
        self.share_prior = (self.tally + 0.5 / k) / (self.n_votes + 0.5)[:, None]
        self.weight = (self.n_votes > 0).astype(float)
        weight = 0.1 * (1 - self.mean_unipolarity) + 0.25 * self.mean_unipolarity
        self.share_weight = np.where(self.n_votes > 0, weight, 1.0)
        self.decision_weight = weight
        if (gold >= 0).any():
            balance = self.weight @ self.share_prior + 1
            drawn = np.bincount(gold[gold >= 0], minlength=k) / (gold >= 0).sum()
            factor = np.clip(balance / balance.sum() / np.maximum(drawn, 1e-9), 0.1, 10)
            for i in np.flatnonzero(gold >= 0).tolist():
                self.weight[i] = (5 * (1 - self.mean_unipolarity) + self.mean_unipolarity) * factor[gold[i]]
                self.share_prior[i] = np.eye(k)[gold[i]]
                self.share_weight[i] = 1.0
        self.q = self.share_prior.copy()

    def iterate(self) -> None:
        n, m, k, w = len(self.votes), self.votes.shape[1], self.k, self.weight
        counts = np.zeros((m, k, k))
        for i in range(n):
            for a in range(m):
                if self.votes[i, a] >= 0:
                    counts[a, self.votes[i, a]] += w[i] * self.q[i]
        self.counts = counts
        self.totals = w @ self.q + 1
        log_balance = np.log(self.totals / self.totals.sum())
        n_votes = counts.sum((1, 2))
        correct = np.array([np.trace(counts[a]) for a in range(m)])
        overall = ((self.independence * correct).sum() + 5 * 0.75) / ((self.independence * n_votes).sum() + 5)
        accuracy = np.clip((correct + 5 * overall) / (n_votes + 5), 1 / k, 0.999)
        pooled = sum(self.independence[a] * counts[a] for a in range(m))
        errors = np.where(np.eye(k) == 1, 0, pooled + 4 * (1 - overall) / (k - 1))
        shape = errors / errors.sum(0)
        self.log_likelihoods = np.zeros((m, k, k))
        self.confusion = np.zeros((m, k, k))
        for a in range(m):
            centre = np.where(np.eye(k) == 1, accuracy[a], (1 - accuracy[a]) * shape)
            recall = counts[a] + 8 * centre + 0.5 / k
            self.confusion[a] = recall / recall.sum(0)
            shown = (self.shown[a] > 0)[:, None]
            precision = counts[a] + 30 * centre * shown + 0.1 / k
            by_precision = np.log(precision / precision.sum(1, keepdims=True)) - log_balance
            share = self.unipolarity[a]
            self.log_likelihoods[a] = (1 - share) * np.log(self.confusion[a]) + share * by_precision
        of_shares = w @ self.share_prior + 1
        self.log_share_balance = np.log(of_shares / of_shares.sum())
        self.log_balance = log_balance
        self.log_prior = (
            1 - self.mean_unipolarity
        ) * log_balance + self.mean_unipolarity * 0.75 * self.log_share_balance
        model = softmax(self.log_prior + self.gather(self.log_likelihoods), axis=1)
        self.q = (1 - self.share_weight[:, None]) * model + self.share_weight[:, None] * self.share_prior

    def gather(self, evidence: NDArray[np.float64]) -> NDArray[np.float64]:
        found = np.zeros((len(self.votes), self.k))
        for i, row in enumerate(self.votes):
            for a, vote in enumerate(row):
                if vote >= 0:
                    found[i] += self.share[i, a] * evidence[a, vote]
        return found

    def soft_labels(self, correlation: float) -> NDArray[np.float64]:
        k, mean = self.k, self.mean_unipolarity
        n_sources = self.independence[self.shown.sum(1) > 0].sum()
        untestable = min(1, (n_sources * k * (k - 1) + k - 1) / (k**n_sources - 1)) ** 3
        beyond = max(correlation - 0.01, 0)
        guard = (1 - mean) * max(min(max(beyond / 0.02, 0.3), 1), untestable) + mean
        bound = (1 - mean) * 0.15 + mean * 0.2
        scaled = np.exp(self.log_likelihoods)
        bounded = np.log((1 - bound) * scaled + bound * scaled.mean(2, keepdims=True))
        evidence = (1 - guard) * self.log_likelihoods + guard * bounded
        r = (1 - mean) * (guard * (0.09 + 0.8 / n_sources) + 5.5 * beyond)
        self.correlated = 0.25 * guard * (1 - mean) * self.log_balance
        log_prior = (1 - mean) * self.log_balance + mean * 0.5 * self.log_share_balance - self.correlated
        worth = (1 - mean + 1.5 * mean) / (1 + (np.maximum(self.n_votes, 1) ** 0.7 - 1) / 0.7 * r)
        worth /= 1 + (1 - mean) * untestable
        self.pool = 0.5 * (1 + guard) / 2 * (1 - mean) + 0.2 * mean
        posterior = softmax(worth[:, None] * (log_prior + self.gather(evidence)), axis=1)
        mass = 0.5 * (1 + mean)
        self.calibrated_shares = (self.tally + mass / k) / (self.n_votes + mass)[:, None]
        mixed = (1 - 0.15 * guard) * posterior + 0.15 * guard * self.calibrated_shares
        mixed = (1 - 0.04 * guard) * mixed + 0.04 * guard / k
        return np.where(self.n_votes[:, None] > 0, mixed, 1 / k)

    def decision_scores(self) -> NDArray[np.float64]:
        """Scores whose largest is the predicted class, on items with votes."""
        checked = self.n_votes[self.n_votes >= 3].sum() / self.independence[self.shown.sum(1) > 0].sum() / self.k
        share = 1 - (1 - self.decision_weight) * (1 - self.pool) if checked >= 1 else 1.0
        model = softmax(self.log_prior - self.correlated + self.gather(self.log_likelihoods), axis=1)
        return np.asarray((1 - share) * model + share * self.calibrated_shares)


def of_items(unique: UniqueRows, matrix: NDArray[Any], gold: NDArray[Any], rows: Any) -> NDArray[Any]:
    """Values of the distinct rows as values of the items."""
    same = (matrix[:, None, :] == unique.votes.to_dense()[None]).all(2)
    if unique.gold is not None:
        same &= gold[:, None] == unique.gold[None]
    values: NDArray[Any] = np.asarray(rows)[same.argmax(1)]
    return values


@pytest.mark.parametrize("with_gold", [False, True], ids=["votes alone", "gold"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_model_is_what_its_equations_say(n_classes: int, with_gold: bool) -> None:
    matrix = problem(n_classes, seed=n_classes)
    gold = np.full(len(matrix), -1)
    if with_gold:
        gold[[3, 9, 40]] = [0, 1, 1]  # item 9 has no votes
    votes = Votes.from_dense(matrix, n_classes)
    unique = deduplicate(votes, gold.astype(np.int32) if with_gold else None)
    prepared = prepare(unique, SETTINGS, ClassPrior)
    rows, profile, copies = prepared.rows, prepared.profile, prepared.copies
    assert copies.nnz == 2  # the copy and its original
    reference = Reference(matrix, n_classes, copies.toarray(), gold)
    assert 0.1 < reference.mean_unipolarity < 0.9  # both forms of evidence count
    state = start(rows, profile, SETTINGS, source_model=ConfusionMatrices, label_space=ClassPrior, max_iter=4)
    for n_iter in range(1, 5):
        state = run(rows, profile, state, SETTINGS, jnp.int32(n_iter), jnp.float32(0))
        reference.iterate()
        sources, labels = state.params
        np.testing.assert_allclose(sources.log_likelihoods, reference.log_likelihoods, atol=2e-4)
        np.testing.assert_allclose(sources.confusion, reference.confusion, atol=2e-4)
        np.testing.assert_allclose(labels.log_prior, reference.log_prior, atol=1e-4)
        np.testing.assert_allclose(of_items(unique, matrix, gold, state.watched), reference.q, atol=2e-4)

    fired = statistics(rows, state.watched, state.params).sources.sum(1)
    for correlation in (0.0, 0.02, 0.1):
        calibration = fit_calibration(
            state.params,
            profile,
            SETTINGS,
            correlation=correlation,
            votes_by_class=np.asarray(fired),
            n_uncovered=10.0,
            n_checked=float(reference.n_votes[reference.n_votes >= 3].sum()),
        )
        layout, n_sources = lay_out(votes, copies), votes.n_sources
        soft, scores = calibrate_votes(layout, calibration, 0.5, n_sources=n_sources, with_scores=True)
        assert scores is not None
        np.testing.assert_allclose(soft[: len(matrix)], reference.soft_labels(correlation), atol=3e-4)
        covered = np.flatnonzero(reference.n_votes > 0)
        np.testing.assert_allclose(np.asarray(scores)[covered], reference.decision_scores()[covered], atol=3e-4)


def test_unipolarity_is_a_posterior_of_two_dirichlet_multinomials() -> None:
    counts = np.array([[9, 0, 1], [4, 3, 3], [0, 12, 0], [5, 1, 6], [2, 2, 2]])
    shares = (counts.sum(0) + 1) / (counts.sum() + 3)
    odds = np.array(
        [
            np.exp(
                dirichlet_multinomial.logpmf(row, [0.1] * 3, row.sum())
                - dirichlet_multinomial.logpmf(row, 3 * shares, row.sum())
            )
            for row in counts
        ]
    )
    mixing = 0.5
    for _ in range(50):
        p = odds * mixing / (odds * mixing + 1 - mixing)
        mixing = min(max((p.sum() + 1) / (len(p) + 2), 0.02), 0.98)
    np.testing.assert_allclose(unipolarity(counts.astype(float)), np.clip(2 * p - 1, 0, 1), atol=1e-9)


def test_near_copies_are_scored_by_the_errors_they_share() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 3000)

    def source(accuracy: float) -> NDArray[Any]:
        return np.where(rng.random(3000) < accuracy, truth, rng.integers(0, 3, 3000))

    first = source(0.6)
    slips = rng.random(3000) < 0.02
    near = np.where(slips, rng.integers(0, 3, 3000), first)
    matrix = np.stack([first, near, source(0.8), source(0.75), source(0.7), source(0.8)], axis=1)
    scores = copy_scores(Votes.from_dense(matrix, 3), np.ones(3000), np.zeros(6)).toarray()

    # The score of the pair from its definition, vote by vote.
    shared = apart = 0.0
    for row in matrix:
        if row[0] != row[1]:
            apart += 1
            continue
        others = np.bincount(row[2:], minlength=3)
        rest, best = others[row[0]], max(np.delete(others, row[0]))
        if best >= 2:
            shared += 1.0 if best > rest else 0.5 if best == rest else 0.0
    expected = np.clip((shared / (shared + apart + 2) - 0.8) / 0.1, 0, 1)
    assert expected > 0.5
    assert scores[0, 1] == pytest.approx(expected)
    assert np.count_nonzero(scores) == 2


def test_ties_are_called_within_the_noise_of_float32() -> None:
    scores = np.array([[0.5, 0.5 + 5e-7], [0.5, 0.5 + 5e-6], [0.2, 0.8]])
    assert decide(scores, "abstain", 0).tolist() == [-1, 1, 1]


def test_copies_are_symmetric_and_never_of_themselves() -> None:
    matrix = problem(3, seed=1)
    scores = copy_scores(Votes.from_dense(matrix, 3), np.ones(len(matrix)), np.zeros(matrix.shape[1]))
    assert isinstance(scores, sp.csr_array)
    dense = scores.toarray()
    np.testing.assert_array_equal(dense, dense.T)
    assert not dense.diagonal().any()
