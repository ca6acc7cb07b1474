"""Names of other packages are answered with the name here."""

from typing import Any

import pytest

from weaklabel import LabelModel
from weaklabel.errors import InvalidArgumentError
from weaklabel.model.argument_hints import HINTS

MAKE: Any = LabelModel  # type checkers would refuse these names
VOTES = [[0, 1, 1], [1, 1, -1], [0, 0, 0]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: MAKE(cardinality=2), "LabelModel has no argument 'cardinality': it is n_classes="),
        (lambda m: MAKE(2, verbose=True), "no argument 'verbose': it is fit"),
        (lambda m: m.fit(VOTES, n_epochs=5, lr=0.1), "fit has no argument 'lr': EM converges by itself"),
        (lambda m: m.fit(VOTES, class_balance=[0.5, 0.5]), "prior=np.tile"),
        (lambda m: m.fit(VOTES, Y_dev=[0, 1, 0]), "known labels are gold="),
        (lambda m: m.fit(VOTES, golds=[0, 1, 0]), "fit has no argument 'golds'$"),
        (lambda m: m.predict(L=VOTES), "prediction has no argument 'L': votes are the first argument"),
        (lambda m: m.predict(VOTES, return_probs=True), "soft and hard labels"),
        (lambda m: m.predict_proba(VOTES, weights=1), "'weights': prior, groups, bags, features and times are known"),
    ],
)
def test_a_name_is_answered(call: Any, message: str) -> None:
    model = LabelModel(2).fit(VOTES)
    with pytest.raises(InvalidArgumentError, match=message) as caught:
        call(model)
    assert caught.value.field is not None


def test_hints_do_not_shadow_arguments() -> None:
    """A name that a call has never comes to a hint: it must not be in the table."""
    assert not set(HINTS) & {*LabelModel(2).get_params(), "votes", "gold", "prior", "groups", "bounds", "progress"}
    assert "unknown" not in LabelModel(2).get_params()
