"""The predictive distribution against numerical integration."""

import numpy as np
import pytest
from scipy.integrate import quad

from weaklabel.errors import InvalidArgumentError
from weaklabel.kinds.numbers import NumericDistribution

ONE = NumericDistribution(np.array([2.0]), np.array([3.0]), 4.0)


@pytest.mark.parametrize("at", [-10.0, 1.0, 2.0, 8.5])
def test_cdf_and_crps_are_the_integrals_of_the_density(at: float) -> None:
    def density(x: float) -> float:
        return float(np.exp(ONE.log_density(x))[0])

    assert ONE.cdf(at)[0] == pytest.approx(quad(density, -np.inf, at)[0], abs=1e-7)
    below = quad(lambda x: float(ONE.cdf(x)[0]) ** 2, -np.inf, at)[0]
    above = quad(lambda x: (1 - float(ONE.cdf(x)[0])) ** 2, at, np.inf)[0]
    assert ONE.crps(at)[0] == pytest.approx(below + above, abs=1e-6)


def test_quantiles_turn_the_cdf_around() -> None:
    two = NumericDistribution(np.array([0.0, 5.0]), np.array([1.0, 2.0]))
    quantiles = two.quantile([0.1, 0.5, 0.9])
    assert quantiles.shape == (2, 3)
    for column, p in enumerate([0.1, 0.5, 0.9]):
        np.testing.assert_allclose(two.cdf(quantiles[:, column]), p)
    np.testing.assert_allclose(two.interval(0.8), quantiles[:, [0, 2]])
    np.testing.assert_allclose(two.quantile(0.5), two.location)
    inside = (two.sample(20_000) < two.quantile(0.9)).mean(axis=0)
    np.testing.assert_allclose(inside, 0.9, atol=0.01)


def test_probabilities_outside_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match=r"must be in \(0, 1\)"):
        ONE.quantile([0.5, 1.0])
