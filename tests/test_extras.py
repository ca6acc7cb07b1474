"""A dependency that is missing is an error that names the extra."""

import subprocess
import sys
import textwrap

import pytest

from weaklabel._extras import require
from weaklabel.errors import MissingExtraError, WeaklabelError

BLOCKED = """
    import sys

    class Blocker:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] == {blocked!r}:
                raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

    sys.meta_path.insert(0, Blocker())
"""


def without(module: str, code: str) -> str:
    """What code prints in a process where a module is not installed."""
    script = textwrap.dedent(BLOCKED).format(blocked=module) + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_module_that_is_there_is_returned() -> None:
    assert require("json.decoder", extra="any", needed_for="JSON") is sys.modules["json.decoder"]


@pytest.mark.parametrize(("engine", "package"), [("ray", "ray"), ("spark", "pyspark")])
def test_an_engine_that_is_not_installed_names_its_extra(engine: str, package: str) -> None:
    message = without(
        package,
        f"""
        from weaklabel import apply, labeling_function
        try:
            apply([labeling_function(len)], ["a"], engine="{engine}")
        except ImportError as error:
            print(error)
        """,
    )
    assert f"weaklabel[{engine}]" in message
    assert f"missing: {package}" in message


def test_a_missing_module_names_the_extra() -> None:
    message = without(
        "pyarrow",
        """
        from weaklabel._extras import require
        try:
            require("pyarrow.parquet", extra="parquet", needed_for="Parquet files")
        except ImportError as error:
            print(error, "|", error.name)
        """,
    )
    assert message == (
        "Parquet files: install the extra by pip install 'weaklabel[parquet]' (missing: pyarrow) | pyarrow"
    )


@pytest.mark.parametrize(
    ("module", "extra", "code"),
    [
        ("spacy", "spacy", "from weaklabel.adapters.spacy import SpacyPreprocessor; SpacyPreprocessor()"),
        ("datasets", "datasets", "from weaklabel.adapters.datasets import label_stream; label_stream([], [], None)"),
        ("sklearn", "sklearn", "import weaklabel.adapters.sklearn"),
        ("torch", "torch", "from weaklabel.adapters.torch import SoftLabelDataset; SoftLabelDataset([1], [[0, 1]])"),
    ],
)
def test_adapters_name_the_extra(module: str, extra: str, code: str) -> None:
    message = without(
        module,
        f"""
        try:
            {code.replace("; ", chr(10) + " " * 12)}
        except ImportError as error:
            print(error)
        """,
    )
    assert f"pip install 'weaklabel[{extra}]' (missing: {module}" in message


def test_it_is_an_import_error_and_one_of_ours() -> None:
    with pytest.raises(MissingExtraError, match=r"weaklabel\[none\].*missing: no_such_module") as caught:
        require("no_such_module", extra="none", needed_for="nothing")
    assert isinstance(caught.value, ImportError)
    assert isinstance(caught.value, WeaklabelError)
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
