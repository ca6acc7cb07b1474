"""Candidate sets, complements and soft votes against sums over labels and over the votes behind what was shown."""

import itertools
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import entropy

from weaklabel import LabelModel, Votes
from weaklabel.errors import InvalidVotesError
from weaklabel.model.dependence.copies import identical_columns
from weaklabel.model.em.e_step import EStep, e_step
from weaklabel.model.em.statistics import statistics
from weaklabel.model.labels.classes import ClassPrior
from weaklabel.model.labels.information import RowInformation
from weaklabel.model.layout.choice import lay_out
from weaklabel.model.layout.copy_weights import vote_weights
from weaklabel.model.layout.sparse import SparseLayout
from weaklabel.model.numerics.padding import bucket, single, to_device
from weaklabel.model.params import Params
from weaklabel.model.preparation.rows import build_rows
from weaklabel.model.records import Rows, RowVotes, SetSymbols, Statistics
from weaklabel.model.sources.candidate_sets import latent_votes, set_log_likelihood, set_symbols
from weaklabel.model.sources.confusion import ConfusionMatrices
from weaklabel.model.sources.soft_votes import information, soft_log_likelihood, soft_votes
from weaklabel.model.sources.tally import shared_tally
from weaklabel.votes.conversion import plain_part, with_codebook
from weaklabel.votes.symbols import CandidateSet, Symbols, not_, one_of, soft

Real = NDArray[np.float64]
K = 4
PAIRS = [one_of(a, b) for a, b in itertools.combinations(range(K), 2)]
NOTS = [not_(k) for k in range(K)]


# ------------------------------------------------------------------ enumeration


def likelihood(cell: Any, n_classes: int) -> Real:
    """P(shown | class in mind), up to a constant a symbol."""
    if isinstance(cell, int):
        return np.asarray(np.eye(n_classes)[cell])
    if isinstance(cell, CandidateSet):
        return np.isin(np.arange(n_classes), cell.classes).astype(float)
    return np.asarray(cell.probabilities, float)


def told(shown: Real) -> float:
    """How much of a vote it is: 1 less the entropy over log K."""
    return 1 - float(entropy(shown / shown.sum())) / float(np.log(len(shown)))


class Enumerated:
    """Sums over the label of each item and the plain votes behind what its sources showed.

    Args:
        cells: [N][M] votes; -1 abstains.
        confusion: [M, K, K] P(vote | class), class last.
        log_prior: [N, K]
    """

    def __init__(self, cells: list[list[Any]], confusion: Real, log_prior: Real) -> None:
        n_sources, n_classes = confusion.shape[:2]
        self.posterior = np.zeros_like(log_prior)
        self.log_evidence = np.zeros(len(cells))
        self.behind = np.zeros_like(confusion)
        """[M, K, K] expected plain votes behind all that was shown, by how much of a vote it is."""
        for i, row in enumerate(cells):
            spoken = [m for m in range(n_sources) if row[m] != -1]
            shown = {m: likelihood(row[m], n_classes) for m in spoken}
            worlds = list(itertools.product(range(n_classes), repeat=1 + len(spoken)))
            weights = np.array(
                [
                    np.exp(log_prior[i, y])
                    * np.prod([confusion[m, j, y] * shown[m][j] for m, j in zip(spoken, minds, strict=True)])
                    for y, *minds in worlds
                ]
            )
            self.log_evidence[i] = np.log(weights.sum())
            for (y, *minds), p in zip(worlds, weights / weights.sum(), strict=True):
                self.posterior[i, y] += p
                for m, j in zip(spoken, minds, strict=True):
                    self.behind[m, j, y] += p * told(shown[m])


def cells_of(n_classes: int) -> list[list[Any]]:
    """Every kind of vote, mixed in rows and in sources."""
    lean = np.arange(1, n_classes + 1) / np.arange(1, n_classes + 1).sum()
    kinds: list[list[Any]] = [
        [0, one_of(0, 1), soft(lean), -1],
        [not_(0), 1, -1, soft(lean[::-1])],
        [soft(lean), soft(lean), not_(1), one_of(1, 2)],
        [-1, 2, not_(0), 2],
        [one_of(1, 2), one_of(1, 2), 1, not_(n_classes - 1)],
        [-1, -1, -1, -1],
    ]
    return [[as_set(cell, n_classes) for cell in row] for row in kinds]


def as_set(cell: Any, n_classes: int) -> Any:
    """A complement as the candidate set that it is."""
    if not hasattr(cell, "classes") or isinstance(cell, CandidateSet):
        return cell
    return one_of(*(k for k in range(n_classes) if k not in cell.classes))


def votes_of(cells: list[list[Any]], n_classes: int) -> Votes:
    matrix = np.empty((len(cells), len(cells[0])), object)
    for i, m in np.ndindex(matrix.shape):
        matrix[i, m] = cells[i][m]
    return Votes.from_dense(matrix, n_classes)


def random_confusion(n_sources: int, n_classes: int, seed: int = 0) -> Real:
    rng = np.random.default_rng(seed)
    mixed = rng.dirichlet(np.ones(n_classes), (n_sources, n_classes)).swapaxes(1, 2)
    return np.asarray(0.5 * mixed + 0.5 * np.eye(n_classes))


jitted_set_log_likelihood = jax.jit(set_log_likelihood)


def params_of(confusion: Real, votes: Votes, log_prior: Real, group_shift: Any = None) -> Params:
    """Parameters under which a set is a class in mind that was not said: the confusion matrix speaks."""
    sets = set_symbols(votes)
    matrices = single(confusion)
    assert sets is not None
    implied = np.einsum("cj,mjk->mck", np.asarray(sets.members), confusion)
    of_sets = np.log(implied / implied.mean(2, keepdims=True))
    log_likelihoods = single(np.concatenate([np.log(confusion), of_sets], axis=1))
    of_groups = None if group_shift is None else single(np.zeros(group_shift.shape))
    labels = ClassPrior(single(log_prior), single(np.exp(log_prior)), of_groups, group_shift)
    return Params(ConfusionMatrices(matrices, log_likelihoods), labels)


def rows_of(votes: Votes) -> Rows:
    items = to_device(np.ones(votes.n_items, np.float32), bucket(votes.n_items))
    size = {"n_sources": votes.n_sources, "n_classes": votes.n_classes}
    on_device = RowVotes(lay_out(votes), soft_votes(votes))
    rows: Rows = build_rows(on_device, items, **size, share_prior_mass=0.5, sets=set_symbols(votes))
    return rows


@jax.jit
def step(rows: Rows, params: Params) -> tuple[EStep, Statistics]:
    """The E-step, and the counts that it expects."""
    expected = e_step(rows, params)
    return expected, statistics(rows, expected.responsibilities, params)


def constants(cells: list[list[Any]], confusion: Real) -> Real:
    """[N] what the model's log-evidence holds beside that of the story, symbol by symbol, alike in all classes."""
    n_classes, found = confusion.shape[1], np.zeros(len(cells))
    for i, row in enumerate(cells):
        for m, cell in enumerate(row):
            if isinstance(cell, CandidateSet):  # relative to the mean over the classes
                found[i] -= np.log(confusion[m, list(cell.classes)].sum(0).mean())
            elif not isinstance(cell, int):  # beside a vote without information
                found[i] += (1 - told(likelihood(cell, n_classes))) * np.log(n_classes)
    return found


@pytest.mark.parametrize("n_classes", [3, 4])
def test_e_step_counts_and_evidence_equal_the_sums_over_labels_and_votes_in_mind(n_classes: int) -> None:
    cells, confusion = cells_of(n_classes), random_confusion(4, n_classes)
    votes, rng = votes_of(cells, n_classes), np.random.default_rng(1)
    log_prior = np.log(rng.dirichlet(np.ones(n_classes)))
    offset = rng.normal(size=(len(cells), n_classes)).astype(np.float32)
    group, shift = np.array([0, 1, 0, 1, 1, 0]), rng.normal(size=(2, n_classes)).astype(np.float32)
    story = Enumerated(cells, confusion, log_prior + offset + shift[group])

    n_rows = bucket(len(cells))
    items = to_device(np.ones(len(cells), np.float32), n_rows)
    known_of_rows = RowInformation(
        offset=to_device(offset, n_rows),
        group=to_device(group.astype(np.int32), n_rows),
    )
    rows = known_of_rows.attach(rows_of(votes), items, 0.0)
    params = params_of(confusion, votes, log_prior, single(shift))
    expected, counted = step(rows, params)

    covered = np.arange(5)  # the last item has no votes
    np.testing.assert_allclose(np.asarray(expected.responsibilities)[covered], story.posterior[covered], atol=1e-5)
    log_evidence = (story.log_evidence + constants(cells, confusion))[covered].sum()
    np.testing.assert_allclose(np.asarray(rows.weight) @ np.asarray(expected.log_marginal), log_evidence, rtol=1e-4)

    counts, labels, sets = counted.sources, counted.labels, set_symbols(votes)
    assert params.sources.confusion is not None
    assert sets is not None
    of_votes, of_sets = np.split(np.asarray(counts), [n_classes], axis=1)
    behind = jax.jit(latent_votes)(of_sets, params.sources.confusion, sets)
    np.testing.assert_allclose(of_votes + np.asarray(behind), story.behind, atol=1e-4)
    np.testing.assert_allclose(labels.totals, story.posterior[covered].sum(0), atol=1e-4)
    assert labels.group_totals is not None
    by_group = [story.posterior[covered][group[covered] == g].sum(0) for g in range(2)]
    np.testing.assert_allclose(labels.group_totals, by_group, atol=1e-4)


def test_the_log_likelihood_of_sets_is_what_its_equation_says() -> None:
    rng, n_sources = np.random.default_rng(3), 2
    confusion = random_confusion(n_sources, K)
    members = np.array([[1, 1, 0, 0], [0, 1, 1, 1]], float)
    counts, totals = rng.gamma(2, 5, (n_sources, 2, K)), rng.gamma(2, 50, (n_sources, K))
    log_balance, discriminative = np.log(rng.dirichlet(np.ones(K))), np.array([0.0, 0.6])
    for mass, coverage in ((1e-3, 0.98), (8.0, 0.7), (1e6, 0.98)):
        expected: Real = np.zeros((n_sources, 2, K))
        for m, c in np.ndindex(n_sources, 2):
            share = totals[m] / totals[m].sum()
            implied = np.array([sum(confusion[m, j, k] for j in range(K) if members[c, j]) for k in range(K)])
            held = sum(counts[m, s, k] for s in range(2) for k in range(K) if members[s, k])
            covered = (held + mass * coverage) / (counts[m].sum() + mass)
            within = sum(implied[k] * share[k] for k in range(K) if members[c, k])
            outside = sum(implied[k] * share[k] for k in range(K) if not members[c, k])
            lift = implied * np.where(members[c] > 0, covered / within, (1 - covered) / outside)
            seen = counts[m, c].sum() * share
            behind = mass / np.sqrt([0.5, 0.2][c])
            expected[m, c] = np.log((counts[m, c] + behind * lift) / (seen + behind))
            expected[m, c] += discriminative[m] * (np.log(share) - log_balance)
        seen_by, matrices, n_votes, log_shares, unipolarity = (
            single(part) for part in (counts, confusion, totals, log_balance, discriminative)
        )
        sets = SetSymbols(single(members), single(np.array([0.5, 0.2])))
        found = jitted_set_log_likelihood(seen_by, matrices, n_votes, log_shares, unipolarity, sets, mass, coverage)
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_vote_shares_reproduce_themselves() -> None:
    """A tally of {0, 1}, 0, and not 3: the fixed point of sharing the sets out by the shares themselves."""
    sets = SetSymbols(
        single(np.array([[1.0, 1, 0, 0], [1, 1, 1, 0]])),
        jax.jit(information)(single(np.array([[0.5, 0.5, 0, 0], [1 / 3, 1 / 3, 1 / 3, 0]]))),
    )
    plain, shown = np.array([[1.0, 0, 0, 0]]), np.array([[1.0, 1.0]])
    share = jax.jit(lambda plain, shown, sets: shared_tally(plain, shown, sets, None, 0.5))
    found = np.asarray(share(single(plain), single(shown), sets))[0]
    weights = [1 - np.log(2) / np.log(4), 1 - np.log(3) / np.log(4)]
    assert found.sum() == pytest.approx(1 + sum(weights), abs=1e-5)
    tally = np.zeros(4)
    for _ in range(200):
        shares = (tally + 0.5 / 4) / (tally.sum() + 0.5)
        tally = plain[0].copy()
        for members, weight in zip(np.asarray(sets.members), weights, strict=True):
            tally += weight * members * shares / (members @ shares)
    np.testing.assert_allclose(found, tally, atol=0.02)
    assert found[0] > found[1] > found[2] > found[3] == 0


def test_layouts_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    votes = votes_of(cells_of(K), K)
    params = params_of(random_confusion(4, K), votes, np.log(np.full(K, 1 / K)))
    dense = rows_of(votes)
    monkeypatch.setattr("weaklabel.model.layout.choice.is_dense", lambda *_: False)
    sparse = rows_of(votes)
    assert isinstance(sparse.votes.layout, SparseLayout)
    assert not isinstance(dense.votes.layout, SparseLayout)
    np.testing.assert_allclose(dense.share_prior, sparse.share_prior, atol=1e-6)
    (expected, counted), (again, recounted) = (step(rows, params) for rows in (dense, sparse))
    np.testing.assert_allclose(expected.responsibilities, again.responsibilities, atol=1e-6)
    np.testing.assert_allclose(counted.sources, recounted.sources, atol=1e-5)


@pytest.mark.parametrize("by_precision", [False, True])
def test_soft_votes_go_from_nothing_to_a_plain_vote(by_precision: bool) -> None:
    """Of any evidence, normalised over the votes or not: the ends are exact, and the way is continuous."""
    evidence = np.log(random_confusion(1, K)).astype(np.float32)
    if by_precision:
        evidence = evidence + np.arange(K, dtype=np.float32)[None, None]
    inform, read = jax.jit(information), jax.jit(soft_log_likelihood)
    sharp, flat = np.eye(K)[2], np.full(K, 1 / K)
    found = {}
    for name, p in {
        "plain": sharp,
        "near plain": 0.9999 * sharp + 0.0001 * flat,
        "uniform": flat,
        "near uniform": 0.001 * sharp + 0.999 * flat,
    }.items():
        votes = Votes.from_dense(np.array([[soft(0.9 * p + 0.1 * np.eye(K)[0])]], object), K)
        vote = soft_votes(votes)
        assert vote is not None
        shown = single(np.tile(p, (vote.rows.shape[0], 1)))
        vote = vote._replace(probabilities=shown, information=inform(shown))
        total = read(vote, evidence, np.zeros((bucket(1), K), np.float32))
        found[name] = np.asarray(total)[0]
    np.testing.assert_allclose(found["plain"], evidence[0, 2], atol=1e-5)
    np.testing.assert_allclose(found["near plain"], evidence[0, 2], atol=0.02)
    np.testing.assert_allclose(found["uniform"], 0, atol=1e-5)
    np.testing.assert_allclose(found["near uniform"], 0, atol=0.02)


def test_symbols_that_mean_the_same_are_the_same() -> None:
    first = Votes.from_dense(np.array([[one_of(0), not_(1, 2, 3), soft([1, 0, 0, 0])], [not_(3), 1, -1]], object), K)
    same = Votes.from_dense(np.array([[0, 0, 0], [one_of(0, 1, 2), 1, soft([0.25] * 4)]], object), K)
    everything = Votes.from_dense(np.array([[0, one_of(0), 0], [not_(3), 1, one_of(0, 1, 2, 3)]], object), K)
    assert first == same == everything


# -------------------------------------------------------------- simulated fits

N_ITEMS, N_SOURCES = 900, 6


def truth(seed: int = 0) -> NDArray[np.int64]:
    return np.random.default_rng([seed, 0]).integers(0, K, N_ITEMS)


def spoken(accuracy: float, seed: int, gold: NDArray[Any]) -> NDArray[np.int64]:
    """Plain votes of one source."""
    rng = np.random.default_rng([seed, 1])
    wrong = (gold + rng.integers(1, K, len(gold))) % K
    return np.asarray(np.where(rng.random(len(gold)) < accuracy, gold, wrong))


def filler(seed: int) -> list[Any]:
    """A source that shows every set at random: it says nothing, and keeps codebooks alike."""
    rng = np.random.default_rng([seed, 2])
    return [(PAIRS + NOTS)[at] for at in rng.integers(0, len(PAIRS + NOTS), N_ITEMS)]


def as_votes(columns: list[Any]) -> Votes:
    return votes_of([list(row) for row in zip(*[np.asarray(c, object).tolist() for c in columns], strict=True)], K)


def mixed_columns(seed: int = 0) -> list[list[Any]]:
    """Plain votes, a third of them widened to pairs and a third to complements; and the filler."""
    gold, rng, columns = truth(seed), np.random.default_rng([seed, 3]), []
    for m in range(N_SOURCES - 1):
        votes, column = spoken(0.75, 10 * seed + m, gold), []
        for v in votes.tolist():
            kind, other = int(rng.integers(3)), (v + int(rng.integers(1, K))) % K
            column.append([v, one_of(v, other), not_(other)][kind])
        columns.append(column)
    return [*columns, filler(seed)]


@cache
def mixed() -> tuple[Votes, LabelModel]:
    votes = as_votes(mixed_columns())
    return votes, LabelModel(K).fit(votes)


def test_a_mixed_fit_reads_what_a_plain_one_must_drop() -> None:
    votes, model = mixed()
    rows, sources, labels = votes.triples()
    sharp = labels < K
    plain = Votes.from_triples(
        rows[sharp], sources[sharp], labels[sharp], n_classes=K, n_items=N_ITEMS, n_sources=N_SOURCES
    )
    gold, dropped = truth(), LabelModel(K).fit(plain)
    found = {}
    for name, fit, given in (("mixed", model, votes), ("dropped", dropped, plain)):
        p = fit.predict_proba(given)
        found[name] = (fit.predict(given) == gold).mean(), -np.log(p[np.arange(N_ITEMS), gold]).mean()
    assert found["mixed"][0] > found["dropped"][0] + 0.1
    assert found["mixed"][1] < found["dropped"][1] - 0.1
    assert model.converged
    np.testing.assert_allclose(model.source_accuracy[: N_SOURCES - 1], 0.75, atol=0.08)
    assert model.source_accuracy[-1] < 0.45  # the filler
    np.testing.assert_array_equal(model.coverage, 1)


def test_another_order_of_the_codebook_gives_the_same_labels() -> None:
    votes, model = mixed()
    rows, sources, labels = votes.triples()
    order = np.random.default_rng(0).permutation(len(votes.symbols.sets))
    turned = np.concatenate([np.arange(K), K + np.argsort(order)])
    again = Votes.from_triples(
        rows,
        sources,
        turned[labels],
        n_classes=K,
        n_items=N_ITEMS,
        n_sources=N_SOURCES,
        symbols=Symbols(votes.symbols.sets[order].copy(), votes.symbols.soft.copy()),
    )
    assert not np.array_equal(again.symbols.sets, votes.symbols.sets)
    p = LabelModel(K).fit(again).predict_proba(again)
    np.testing.assert_allclose(p, model.predict_proba(votes), atol=2e-3)
    # A model reads votes by what they mean, whatever their codebook.
    np.testing.assert_allclose(model.predict_proba(again), model.predict_proba(votes), atol=1e-6)


def test_sources_are_matched_by_name() -> None:
    votes, model = mixed()
    turned = votes.select_sources(votes.source_names[::-1])
    np.testing.assert_allclose(model.predict_proba(turned), model.predict_proba(votes), atol=1e-6)
    rows, sources, labels = votes.triples()
    spoke = sources < 3
    silent = Votes.from_triples(
        rows[spoke],
        sources[spoke],
        labels[spoke],
        n_classes=K,
        n_items=N_ITEMS,
        n_sources=N_SOURCES,
        symbols=votes.symbols,
    )
    few = votes.select_sources(votes.source_names[:3])
    np.testing.assert_allclose(model.predict_proba(few), model.predict_proba(silent), atol=1e-6)


def test_a_kept_model_reads_votes_whose_sets_the_fit_has_not_seen(tmp_path: Path) -> None:
    votes, model = mixed()
    model.save(tmp_path / "model.npz")
    loaded = LabelModel.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(loaded.predict_proba(votes), model.predict_proba(votes))

    columns = [[c if isinstance(c, int) else -1 for c in column] for column in mixed_columns()]
    plain = as_votes(columns)
    few = LabelModel(K).fit(plain)
    p = few.predict_proba(votes)
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-5)
    gold = truth()
    assert (few.predict(votes) == gold).mean() > (few.predict(plain) == gold).mean() + 0.05


def test_plain_votes_with_an_empty_codebook_give_the_same_bits_and_with_an_unused_one_the_same_labels() -> None:
    gold = truth()
    matrix = np.stack([spoken(0.7, m, gold) for m in range(N_SOURCES)], axis=1)
    rows, sources = np.nonzero(matrix >= 0)
    size: dict[str, Any] = {"n_classes": K, "n_items": N_ITEMS, "n_sources": N_SOURCES}
    plain, empty, unused = (
        Votes.from_triples(rows, sources, matrix[rows, sources], **size, symbols=symbols)
        for symbols in (None, [], PAIRS + NOTS)
    )
    expected = LabelModel(K).fit(plain)
    assert LabelModel(K).fit(empty).to_bytes() == expected.to_bytes()
    p = LabelModel(K).fit(unused).predict_proba(unused)
    np.testing.assert_allclose(p, expected.predict_proba(plain), atol=1e-3)


def test_votes_near_to_plain_ones_and_to_abstains_are_nearly_that() -> None:
    gold, rng = truth(), np.random.default_rng(4)
    matrix = np.stack([spoken(0.7, m, gold) for m in range(N_SOURCES)], axis=1)
    silent, blurred = rng.random(matrix.shape) < 0.3, rng.random(matrix.shape) < 0.5
    plain = np.where(silent, -1, matrix)
    expected = LabelModel(K).fit(plain)
    found = expected.predict_proba(plain)
    away = []
    for e in (0.05, 0.002):
        near = np.array(plain, object)
        for i, m in zip(*np.nonzero(silent | blurred), strict=True):
            p = np.full(K, 1 / K) if silent[i, m] else np.eye(K)[plain[i, m]]
            near[i, m] = soft((1 - e) * p + e * np.eye(K)[rng.integers(K)])
        votes = Votes.from_dense(near, K)
        model = LabelModel(K).fit(votes)
        away.append(np.abs(model.predict_proba(votes) - found).max())
        if e < 0.01:
            np.testing.assert_allclose(model.source_accuracy, expected.source_accuracy, atol=0.03)
    assert away[1] < 0.05
    assert away[1] < away[0] / 2


def test_votes_that_are_all_sets_are_enough() -> None:
    gold = truth(6)
    columns: list[list[Any]] = []
    for m in range(N_SOURCES - 1):
        rng, meant = np.random.default_rng([8, m]), spoken(0.85, 400 + m, gold)
        wide = rng.random(N_ITEMS) < 0.5
        other = (meant + rng.integers(1, K, N_ITEMS)) % K
        columns.append(
            [one_of(v, o) if w else not_(o) for v, o, w in zip(meant.tolist(), other.tolist(), wide, strict=True)]
        )
    votes = as_votes([*columns, filler(6)])
    model = LabelModel(K).fit(votes)
    p = model.predict_proba(votes)
    assert (p.argmax(1) == gold).mean() > 0.75
    assert -np.log(p[np.arange(N_ITEMS), gold]).mean() < 0.6


def test_biased_complements_are_learned() -> None:
    """Two sources say "not" the next class 9 times in 10: far more than that the class is another."""
    gold = np.concatenate([truth(1), truth(2)])
    plain = [spoken(0.7, 100 + m, gold) for m in range(3)]
    rng = np.random.default_rng(5)
    shifts = [np.where(rng.random(len(gold)) < 0.9, 1, rng.integers(2, K, len(gold))) for _ in range(2)]
    nots = [[not_(int(v)) for v in (gold + shift) % K] for shift in shifts]
    train, held = slice(0, N_ITEMS), slice(N_ITEMS, 2 * N_ITEMS)
    columns: list[Any] = [*plain, *nots]
    votes = as_votes([*[c[train] for c in columns], filler(1)])
    model = LabelModel(K).fit(votes)
    fitted = model._fitted
    order = [c.tolist() for c in fitted.sets]
    new = with_codebook(as_votes([*[c[held] for c in columns], filler(1)]), fitted.sets)
    rows, y = rows_of(new), gold[held]

    by_votes = rows._replace(share_weight=single(np.zeros(rows.share_weight.shape)))
    expectation = jax.jit(e_step)

    def held_out(params: Params) -> float:
        p = np.asarray(expectation(by_votes, params).responsibilities)[: len(y)]
        return -float(np.log(p[np.arange(len(y)), y]).mean())

    sources = fitted.params.sources
    assert isinstance(sources, ConfusionMatrices)
    uniform = np.array(sources.log_likelihoods)
    for m in (3, 4):
        uniform[m, K:] = np.log(fitted.sets / fitted.sets.sum(1, keepdims=True) + 1e-3)
    learned = held_out(fitted.params)
    assumed = held_out(fitted.params._replace(sources=sources._replace(log_likelihoods=single(uniform))))
    log_true = np.zeros((len(y), K))
    for votes_of_source in plain:
        log_true += np.log(np.where(votes_of_source[held][:, None] == np.arange(K), 0.7, 0.1))
    for shift in shifts:
        not_this = (gold + shift)[held] % K
        step = (not_this[:, None] - np.arange(K)) % K
        log_true += np.log(np.array([1e-12, 0.9, 0.05, 0.05])[step])
    best = -float((log_true - logsumexp(log_true, axis=1, keepdims=True))[np.arange(len(y)), y].mean())
    assert learned < assumed / 2
    assert learned < best + 0.1
    for k in range(K):
        not_k = order.index([j != k for j in range(K)]) + K
        evidence = np.asarray(sources.log_likelihoods)[3, not_k]
        assert evidence.argmax() == (k - 1) % K
        assert evidence.argmin() == k


def test_how_often_sets_miss_the_truth_is_learned() -> None:
    gold, found = truth(3), []
    for rate in (0.0, 0.1, 0.3):
        columns: list[Any] = [spoken(0.7, 200 + m, gold) for m in range(2)]
        for m in range(3):
            rng = np.random.default_rng([6, m])
            inside = np.where(rng.random(N_ITEMS) < rate, (gold + rng.integers(1, K, N_ITEMS)) % K, gold)
            other = (inside + rng.integers(1, K, N_ITEMS)) % K
            hit = np.where((other == gold) & (inside != gold), (other + 1) % K, other)
            other = np.where(hit == inside, (hit + 1) % K, hit)
            other = np.where((other == gold) & (inside != gold), (other + 1) % K, other)
            columns.append([one_of(int(a), int(b)) for a, b in zip(inside, other, strict=True)])
        votes = as_votes([*columns, filler(3)])
        model = LabelModel(K).fit(votes)
        sources = model._fitted.params.sources
        assert isinstance(sources, ConfusionMatrices)
        evidence = np.asarray(sources.log_likelihoods)[2:5, K:]
        pairs = model._fitted.sets.sum(1) == 2
        inside, outside = (
            evidence[:, pairs][:, which[pairs]].mean() for which in (model._fitted.sets, ~model._fitted.sets)
        )
        right = (model.predict_proba(votes).argmax(1) == gold).mean()
        found.append((inside - outside, right, model.source_accuracy[2:5].mean()))
    gap, right, accuracy = zip(*found, strict=True)
    assert gap[0] > gap[1] > gap[2] > 0.3
    assert accuracy[0] > accuracy[1] > accuracy[2]
    assert accuracy[0] > 0.9
    assert right[0] > 0.9
    assert right[2] > 0.75
    # P(set holds the truth) over P(it does not), from the rates: a pair holds half of the classes.
    assert gap[1] == pytest.approx(np.log(0.9 / 3 / (0.1 / 3)), abs=0.7)


def test_copies_are_found_by_what_they_show() -> None:
    """Sources of classes, of sets and of soft votes, each with a copy; and independent ones of each kind."""
    gold, rng, voices = truth(4), np.random.default_rng(7), []
    for m in range(9):
        meant = spoken(0.6, 300 + m, gold)
        other = (meant + rng.integers(1, K, N_ITEMS)) % K
        p = 0.1 + 0.6 * np.eye(K)[meant]
        kinds: list[list[Any]] = [
            meant.tolist(),
            [one_of(*pair) for pair in zip(meant, other, strict=True)],
            list(map(soft, p)),
        ]
        voices.append(kinds[m % 3])
    votes = as_votes([*voices, *voices[:3]])
    scores = identical_columns(plain_part(votes, with_sets=True), np.ones(N_ITEMS), np.zeros(12))
    expected = np.zeros((12, 12))
    expected[[0, 1, 2, 9, 10, 11], [9, 10, 11, 0, 1, 2]] = 1
    np.testing.assert_array_equal(scores.toarray(), expected)
    shares = vote_weights(votes, scores)
    assert shares is not None
    copied = np.isin(votes.triples()[1], [0, 1, 2, 9, 10, 11])
    np.testing.assert_array_equal(shares, np.where(copied, 0.5, 1))


def test_votes_for_several_classes_need_a_matrix_a_source() -> None:
    n_sources = 60
    votes = Votes.from_triples(
        np.zeros(2, int), np.arange(2), [one_of(0, 1), 2], n_classes=200, n_items=1, n_sources=n_sources
    )
    with pytest.raises(InvalidVotesError, match="confusion matrix") as caught:
        LabelModel(200).fit(votes)
    assert caught.value.field == "votes"
