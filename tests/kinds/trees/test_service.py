"""Votes for inner nodes through a real server: its labels are those of the library, at every level."""

from typing import Any

import numpy as np

from weaklabel import LabelModel, Taxonomy
from weaklabel_client import Client


def test_a_server_fits_votes_for_inner_nodes(shared_server: Any) -> None:
    taxonomy = Taxonomy.from_parents({"oak": "tree", "fir": "tree", "rose": "flower", "lily": "flower"})
    rng = np.random.default_rng(0)
    truth = rng.integers(4, size=200)
    codes = np.where(rng.random((200, 4)) < 0.75, truth[:, None], rng.integers(4, size=(200, 4)))
    codes = np.where(rng.random((200, 4)) < 0.4, codes // 2 + 4, codes)
    votes = taxonomy.votes(np.array(taxonomy.nodes, object)[codes], items=[f"item-{at}" for at in range(200)])
    with Client(shared_server.address) as client:
        client.create_project("trees-of-a-taxonomy", classes=taxonomy.leaves)
        client.upload_votes("trees-of-a-taxonomy", votes)
        client.fit("trees-of-a-taxonomy").result()
        probabilities = client.soft_labels("trees-of-a-taxonomy")
    own = LabelModel(classes=taxonomy.leaves).fit(votes).predict_proba(votes)
    np.testing.assert_allclose(probabilities, own, atol=1e-5)
    upper = taxonomy.predict(probabilities, level=1)
    assert (upper == np.array(taxonomy.parents)[truth]).mean() > 0.9
