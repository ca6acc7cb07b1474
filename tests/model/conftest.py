"""Parts of the model are tested under the settings of JAX that its doors set; those of the user hold outside."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from weaklabel.model.numerics.jax_settings import own_settings

ROOMS = Path(__file__).parent
OF_PARTS = {"test_label_space_from_outside.py", "test_reference.py"}
"""Modules in this folder that call parts of the model, too."""


@pytest.fixture(autouse=True)
def settings_of_the_model(request: pytest.FixtureRequest) -> Iterator[None]:
    """Around the tests of the rooms; those of the doors, in this folder itself, run under the user's."""
    if request.path.parent == ROOMS and request.path.name not in OF_PARTS:
        yield
        return
    with own_settings():
        yield
