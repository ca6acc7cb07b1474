"""The seams as one from outside meets them: a label space and a source model that the package does not know.

The label space is a chain: the label of each item depends on that of the item before. It is checked against sums over
all labelings. The source model has two coins for each source, one for each of two classes.
"""

import itertools
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Bool, Float
from numpy.typing import NDArray
from scipy.special import logsumexp

from weaklabel import LabelModel, Votes
from weaklabel.errors import InvalidArgumentError, ModelFileError
from weaklabel.model import registry
from weaklabel.model.em.e_step import e_step, posterior_probabilities
from weaklabel.model.em.loop import run, start
from weaklabel.model.labels.classes import ClassPrior
from weaklabel.model.layout.choice import lay_out
from weaklabel.model.layout.deduplication import deduplicate
from weaklabel.model.numerics.padding import bucket, single, to_device
from weaklabel.model.params import Params
from weaklabel.model.preparation.prepare import prepare
from weaklabel.model.preparation.rows import build_rows
from weaklabel.model.protocols import Information, LabelPosterior, LabelSpace, SourceModel
from weaklabel.model.records import Profile, Rows, RowVotes
from weaklabel.model.registry import Entry, entry_of, register_label_space, register_source_model
from weaklabel.model.settings import Settings
from weaklabel.model.sources.confusion import ConfusionMatrices
from weaklabel.side_information.items import ItemInformation
from weaklabel.votes.chunks import VoteChunks
from weaklabel.votes.symbols import Symbols

STAY = 0.8
"""Probability, before EM, that a label is that of the item before; else it is drawn anew."""


class InOrder(NamedTuple):
    """What is known of rows that form one chain: that they do."""

    in_chain: Bool[Array, " U"]

    def attach(self, rows: Rows, items: Float[Array, " U"], share_weight: float | Float[Array, ""]) -> Rows:
        """Items without votes take part, too: their neighbours say something of them."""
        silent = (rows.n_votes == 0) & (items > 0) & (rows.share_prior.max(1) < 1)
        return rows._replace(
            weight=jnp.where(silent, items, rows.weight),
            share_weight=jnp.where(silent, share_weight, rows.share_weight).astype(jnp.float32),
            information=InOrder(items > 0),
        )

    @property
    def has_bags(self) -> bool:
        return False

    def informs(self, voted: Bool[Array, "U 1"]) -> Bool[Array, "U 1"]:
        return voted | self.in_chain[:, None]

    def soft_labels_without_votes(self, n_classes: int) -> float:
        return 1 / n_classes


class Chain(NamedTuple):
    """A first-order Markov chain whose stationary distribution is the class balance."""

    log_prior: Float[Array, " K"]
    class_totals: Float[Array, " K"]
    stay: Float[Array, ""]

    @property
    def log_balance(self) -> Float[Array, " K"]:
        return jnp.log(self.class_totals / self.class_totals.sum())

    def group_balance(self) -> None:
        return None

    @classmethod
    def ties_items(cls) -> bool:
        return True

    @classmethod
    def on_device(cls, items: ItemInformation, n_rows: int) -> InOrder:
        if items.is_given:
            raise InvalidArgumentError("a chain takes no side information", field="label_space")
        return InOrder(jnp.zeros(n_rows, bool))

    @classmethod
    def extend_profile(cls, profile: Profile, rows: Rows, items: ItemInformation, settings: Settings) -> Profile:
        return profile

    @classmethod
    def start(cls, profile: Profile, settings: Settings) -> Self:
        n_classes = profile.vote_counts.shape[1]
        return cls(jnp.zeros(n_classes), jnp.ones(n_classes), jnp.asarray(STAY, jnp.float32))

    def posterior(self, log_likelihood: Float[Array, "U K"], information: InOrder | None) -> LabelPosterior:
        """By forward-backward. Padding comes last, and says nothing."""
        log_balance = jax.nn.log_softmax(self.log_prior)
        log_joint = log_likelihood + log_balance[None]
        if information is None:
            log_marginal = jax.scipy.special.logsumexp(log_joint, axis=1)
            return LabelPosterior(jnp.exp(log_joint - log_marginal[:, None]), log_marginal, log_joint)
        likelihood = jnp.exp(log_likelihood - log_likelihood.max(1, keepdims=True))

        def forward(expected: Array, likely: Array) -> tuple[Array, tuple[Array, Array]]:
            filtered = expected * likely
            evidence = filtered.sum()
            filtered = filtered / evidence
            return self.stay * filtered + (1 - self.stay) * jnp.exp(log_balance), (filtered, jnp.log(evidence))

        def backward(later: Array, likely: Array) -> tuple[Array, Array]:
            message = likely * later
            message = self.stay * message + (1 - self.stay) * (jnp.exp(log_balance) * message).sum()
            return message / message.sum(), later

        _, (filtered, log_evidence) = jax.lax.scan(forward, jnp.exp(log_balance), likelihood)
        _, later = jax.lax.scan(backward, jnp.ones_like(log_balance), likelihood, reverse=True)
        both = filtered * later
        ahead = likelihood[1:] * later[1:]
        stays = self.stay * (filtered[:-1] * ahead).sum(1)
        turns = (1 - self.stay) * ahead @ jnp.exp(log_balance)
        stayed = jnp.concatenate([jnp.zeros(1), stays / (stays + turns)])
        p = both / both.sum(1, keepdims=True)
        return LabelPosterior(p, log_evidence + log_likelihood.max(1), log_joint, stayed)

    def probabilities(
        self,
        log_likelihood: Float[Array, "U K"],
        information: InOrder | None,
        inverse_temperature: Float[Array, "U 1"] | None,
    ) -> Float[Array, "U K"]:
        tempered = log_likelihood if inverse_temperature is None else inverse_temperature * log_likelihood
        return self.posterior(tempered, information).probabilities

    def statistics(
        self,
        responsibilities: Float[Array, "U K"],
        information: InOrder | None,
        weight: Float[Array, " U"],
        expected: Float[Array, " U"] | None,
    ) -> tuple[Array, Array, Array]:
        """Items of each class; how often a label was that of the item before, and how often it could be."""
        after_another = weight.at[0].set(0)
        stayed = jnp.full(weight.shape, STAY) if expected is None else expected
        return responsibilities.sum(0), after_another @ stayed, after_another.sum()

    def m_step(self, statistics: tuple[Array, Array, Array], profile: Profile, settings: Settings) -> Self:
        totals, stayed, n_steps = statistics
        totals = totals + 1
        stay = (stayed + 1) / (n_steps + 2)
        return self._replace(log_prior=jnp.log(totals / totals.sum()), class_totals=totals, stay=stay)

    def calibrated(self) -> Self:
        return self


ENTRIES = {
    "log_prior": Entry("log_prior", ("K",), calibrated=True),
    "class_totals": Entry("class_totals", ("K",)),
    "stay": Entry("stay", ("",)),
}
register_label_space("toy-chain", Chain, ENTRIES)

# ---------------------------------------------------------------- the label space


def likelihoods(matrix: NDArray[Any], confusion: NDArray[np.float64]) -> NDArray[np.float64]:
    """[N, K] of the votes of each item; confusion[m, vote, class]."""
    found = np.ones((len(matrix), confusion.shape[2]))
    for i, row in enumerate(matrix):
        for m, vote in enumerate(row):
            if vote >= 0:
                found[i] *= confusion[m, vote]
    return found


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_posterior_of_a_chain_is_the_sum_over_all_labelings(n_classes: int) -> None:
    rng = np.random.default_rng(n_classes)
    matrix = rng.integers(-1, n_classes, (6, 3))
    matrix[2] = -1  # its neighbours speak
    confusion = rng.dirichlet(np.ones(n_classes), (3, n_classes)).transpose(0, 2, 1)
    balance = rng.dirichlet(np.ones(n_classes))
    likelihood = likelihoods(matrix, confusion)
    labelings = list(itertools.product(range(n_classes), repeat=6))
    log_weights = np.zeros(len(labelings))
    for at, labeling in enumerate(labelings):
        p = balance[labeling[0]]
        for before, label in itertools.pairwise(labeling):
            p *= STAY * (before == label) + (1 - STAY) * balance[label]
        log_weights[at] = np.log(p * np.prod([likelihood[i, label] for i, label in enumerate(labeling)]))
    expected = np.zeros((6, n_classes))
    for labeling, p in zip(labelings, np.exp(log_weights - logsumexp(log_weights)), strict=True):
        expected[np.arange(6), labeling] += p

    n_rows = bucket(6)
    items = to_device(np.ones(6, np.float32), n_rows)
    votes = RowVotes(lay_out(Votes.from_dense(matrix, n_classes)))
    rows = Chain.on_device(ItemInformation(), n_rows).attach(build_rows(votes, items, 3, n_classes, 0.5), items, 0.0)
    labels = Chain(single(np.log(balance)), single(balance), single(np.array(STAY)))
    params = Params(ConfusionMatrices(single(confusion), single(np.log(confusion))), labels)
    found = jax.jit(e_step)(rows, params)
    np.testing.assert_allclose(np.asarray(found.responsibilities)[:6], expected, atol=1e-5)
    log_marginal = np.asarray(rows.weight) @ np.asarray(found.log_marginal)
    np.testing.assert_allclose(log_marginal, logsumexp(log_weights), rtol=1e-5)
    np.testing.assert_allclose(np.asarray(posterior_probabilities(rows, params))[:6], expected, atol=1e-5)


def sequence(n_items: int, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Votes of four sources, right in 65 %, on labels that seldom change; every tenth item has none."""
    rng = np.random.default_rng(seed)
    truth = np.zeros(n_items, np.int64)
    for i in range(1, n_items):
        truth[i] = truth[i - 1] if rng.random() < 0.9 else rng.integers(0, 3)
    wrong = (truth[:, None] + rng.integers(1, 3, (n_items, 4))) % 3
    votes = np.where(rng.random((n_items, 4)) < 0.65, truth[:, None], wrong)
    votes[::10] = -1
    return votes, truth


def test_a_chain_is_fitted_predicted_and_kept() -> None:
    votes, truth = sequence(512)
    model, apart = LabelModel(3, label_space="toy-chain").fit(votes), LabelModel(3).fit(votes)
    p = model.predict_proba(votes)
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-5)
    assert model.converged
    chain = model._fitted.params.labels
    assert isinstance(chain, Chain)
    assert float(chain.stay) == pytest.approx(0.9, abs=0.05)  # learned: it started at .8
    assert (p.argmax(1) == truth).mean() > (apart.predict_proba(votes).argmax(1) == truth).mean() + 0.1
    assert (p[::10].argmax(1) == truth[::10]).mean() > 0.6  # items without votes
    assert (model.predict(votes) == truth).mean() > 0.8
    turned = np.random.default_rng(1).permutation(len(votes))
    assert np.abs(model.predict_proba(votes[turned]) - p[turned]).max() > 0.1  # the order counts
    again = LabelModel.from_bytes(model.to_bytes())
    assert again.label_space == "toy-chain"
    assert isinstance(again._fitted.params.labels, Chain)
    np.testing.assert_array_equal(again.predict_proba(votes), p)
    assert again.to_bytes() == model.to_bytes()


def test_gold_holds_in_a_chain() -> None:
    votes, truth = sequence(300)
    gold = np.where(np.arange(300) % 3 == 0, truth, -1)
    model = LabelModel(3, label_space="toy-chain").fit(votes, gold=gold)
    assert (model.predict(votes) == truth).mean() > 0.8


def test_what_looks_at_items_apart_is_refused() -> None:
    votes, truth = sequence(300)
    chunks = VoteChunks([votes[:100], votes[100:]], 3)
    model = LabelModel(3, label_space="toy-chain")
    with pytest.raises(InvalidArgumentError, match=r"read in chunks need items .* those of Chain do") as caught:
        model.fit(chunks)
    assert caught.value.field == "label_space"
    model.fit(votes, gold=truth)
    for refused in (
        lambda: model.predict_chunks(chunks),
        lambda: model.explain(votes, 0),
        lambda: model.predict_set(votes),
    ):
        with pytest.raises(InvalidArgumentError, match="do not depend on each other"):
            refused()
    with pytest.raises(InvalidArgumentError, match="takes no side information"):
        model.fit(votes, groups=np.zeros(300, int))


def test_a_name_is_taken_once() -> None:
    class Other(NamedTuple):
        log_prior: Array

    register_label_space("toy-chain", Chain, ENTRIES)  # the same again
    with pytest.raises(InvalidArgumentError, match="another label space is registered as 'toy-chain'"):
        register_label_space("toy-chain", Other, {"log_prior": Entry("log_prior", ("K",))})
    with pytest.raises(InvalidArgumentError, match="one entry for each of its fields"):
        register_label_space("toy-other", Chain, {"log_prior": Entry("log_prior", ("K",))})
    with pytest.raises(InvalidArgumentError, match="there is no label_space 'toy-other'"):
        LabelModel(3, label_space="toy-other")


def test_the_toys_follow_the_protocols() -> None:
    ones = jnp.ones(2)
    assert isinstance(Chain(ones, ones, jnp.ones(())), LabelSpace)
    assert isinstance(InOrder(ones > 0), Information)
    assert isinstance(TwoCoins(ones, ones), SourceModel)


# ---------------------------------------------------------------- the source model


class TwoCoins(NamedTuple):
    """Two classes: how often each source is right in each. Statistics: votes for 0 and 1, in each class."""

    right_in_0: Float[Array, " M"]
    right_in_1: Float[Array, " M"]

    @property
    def table_size(self) -> int:
        return 2 * len(self.right_in_0)

    @classmethod
    def takes_imprecise_votes(cls) -> bool:
        return False

    @property
    def confusion(self) -> Float[Array, "M 2 2"]:
        in_0, in_1 = self.right_in_0, self.right_in_1
        return jnp.stack([jnp.stack([in_0, 1 - in_1], 1), jnp.stack([1 - in_0, in_1], 1)], 1)

    @classmethod
    def start(cls, profile: Profile, settings: Settings) -> Self:
        expected = jnp.full(len(profile.n_votes), settings.accuracy_mean)
        return cls(expected, expected)

    def log_likelihood(self, votes: RowVotes) -> Float[Array, "U 2"]:
        return votes.layout.evidence(jnp.log(self.confusion))

    def statistics(self, votes: RowVotes, responsibilities: Float[Array, "U 2"], start: Any = None) -> Array:
        return votes.layout.counts(responsibilities, len(self.right_in_0), 2, start)

    def m_step(self, statistics: Array, log_balance: Array, profile: Profile, settings: Settings) -> Self:
        right = (jnp.diagonal(statistics, axis1=1, axis2=2) + 3) / (statistics.sum(1) + 4)
        return type(self)(right[:, 0], right[:, 1])

    def vote_totals(self, statistics: Array) -> Array:
        return statistics.sum((1, 2))

    def right_votes(self, statistics: Array, profile: Profile) -> None:
        return None

    def of_plain_votes(self) -> Self:
        return self

    def log_likelihood_of(self, source: int, code: int, symbols: Symbols) -> NDArray[np.float64]:
        return np.asarray(np.log(np.asarray(self.confusion, np.float64)[source, code]))


def test_a_source_model_learns_both_its_coins() -> None:
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 2, 4000)
    sensitivity, specificity = rng.uniform(0.6, 0.95, 6), rng.uniform(0.6, 0.95, 6)
    right = rng.random((4000, 6)) < np.where(truth[:, None] == 1, sensitivity, specificity)
    matrix = np.where(right, truth[:, None], 1 - truth[:, None])
    register_source_model(
        "toy-two-coins", TwoCoins, {name: Entry(name, ("M",), calibrated=True) for name in TwoCoins._fields}
    )
    settings = Settings()
    prepared = prepare(deduplicate(Votes.from_dense(matrix, 2)), settings, ClassPrior)
    rows, profile = prepared.rows, prepared.profile
    state = start(rows, profile, settings, source_model=TwoCoins, label_space=ClassPrior, max_iter=200)
    state = run(rows, profile, state, settings, jnp.int32(200), jnp.float32(1e-4))
    coins = state.params.sources
    assert isinstance(coins, TwoCoins)
    assert entry_of(coins).name == "toy-two-coins"
    np.testing.assert_allclose(coins.right_in_1, sensitivity, atol=0.05)
    np.testing.assert_allclose(coins.right_in_0, specificity, atol=0.05)
    posterior = posterior_probabilities(rows, state.params)
    same = state.params._replace(sources=ConfusionMatrices(coins.confusion, jnp.log(coins.confusion)))
    np.testing.assert_allclose(posterior, posterior_probabilities(rows, same), atol=1e-6)

    model = LabelModel(2, source_model="toy-two-coins").fit(matrix)
    accuracy = np.where(truth[:, None] == 1, sensitivity, specificity).mean(0)
    np.testing.assert_allclose(model.source_accuracy, accuracy, atol=0.05)
    again = LabelModel.from_bytes(model.to_bytes())
    assert isinstance(again._fitted.params.sources, TwoCoins)
    np.testing.assert_array_equal(again.predict_proba(matrix), model.predict_proba(matrix))
    with pytest.raises(InvalidArgumentError, match="no source_model 'none'"):
        LabelModel(2, source_model="none")


def test_a_file_of_a_label_space_that_is_not_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    data = LabelModel(3, label_space="toy-chain").fit(sequence(512)[0]).to_bytes()
    monkeypatch.setattr(registry, "_LABEL_SPACES", {"classes": registry.label_space_of("classes")})
    with pytest.raises(ModelFileError, match=r"no label_space 'toy-chain'.*register it first"):
        LabelModel.from_bytes(data)
