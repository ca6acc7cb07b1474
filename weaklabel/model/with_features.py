"""What features are taught: the evidence of votes beside all that is known of the items, by fold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weaklabel.model.features.evidence import (
    Evidence,
    Told,
    by_item,
    by_item_and_source,
    draw_folds,
    left_out,
    relative_evidence,
)
from weaklabel.model.fitted import Fitted
from weaklabel.model.prediction import predict
from weaklabel.side_information.gold import KnownLabels
from weaklabel.side_information.items import ItemInformation
from weaklabel.votes import Votes

LEAK = 1e-3
"""Share that a lone source's vote leaves to the other classes, where features are learned from it."""


def evidence_of(
    votes: Votes,
    fitted: Fitted,
    counts: NDArray[np.floating],
    items: ItemInformation | None,
    gold: KnownLabels | None,
    share_prior_mass: float,
    seed: int,
) -> Evidence:
    """Evidence of soft labels: by the votes that a fold knows, and by those that it leaves out.

    Args:
        votes: N items.
        fitted: the model without features, which knows of gold where there is any.
        counts: [M, K] votes of each source for each class.
        items: what is known of the items beside votes and gold.
        gold: known labels.
        share_prior_mass: pseudo-votes in the rows' vote shares.
        seed: of the folds.
    """

    def told(part: Votes, items: ItemInformation | None) -> Told:
        soft = predict(part, fitted, share_prior_mass, items)
        known = part.counts().sum(1) > 0
        if gold is not None:
            soft[gold.items] = gold.targets(votes.n_classes, soft[gold.items])
            known[gold.items] = True
        return Told(soft, known)

    everything = told(votes, items)
    weight, fold = everything.known.astype(np.float32), draw_folds(votes.n_items, seed)
    out = left_out(counts, fitted.copies)
    if not out.any():
        return by_item(relative_evidence(everything.soft, weight), weight, fold)
    return by_item_and_source(
        votes, everything, fold, out, seen=lambda part: told(part, items), held=lambda part: told(part, None)
    )


def of_a_lone_source(votes: Votes, seed: int) -> Evidence:
    """Evidence of a source whose accuracy nothing tells: its votes as they are, hardly doubted."""
    meaning = np.concatenate([votes.symbols.distributions(), np.ones((1, votes.n_classes), np.float32)])
    codes = np.maximum(votes.to_codes()[:, 0], -1)
    weight = (votes.counts().sum(1) > 0).astype(np.float32)
    evidence = np.asarray(np.log(meaning[codes] + LEAK), np.float32)
    return by_item(evidence, weight, draw_folds(votes.n_items, seed))
