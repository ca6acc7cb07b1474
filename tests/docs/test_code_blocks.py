"""Every block of Python in the docs runs as it stands, a page's blocks one after the other, in a folder of their own.

Pages that need a server or an endpoint get real ones: addresses in the text are replaced, and nothing else is.
"""

import doctest
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.prompts.conftest import EndpointServer, Request, Response

DOCS = Path(__file__).parent.parent.parent / "docs"
BLOCK = re.compile(r"^```(python|pycon)\n(.*?)^```", re.DOTALL | re.MULTILINE)
IN_PROCESSES_OF_THEIR_OWN = {"scale.md": ("multiprocessing", "jax.distributed", "import ray", "pyspark")}
"""What a block holds that may not run in the process of the tests."""
NOT_IN_THE_LOCK = {"import ray": "ray", "pyspark": "pyspark"}
"""What a block holds that runs only where a package is installed."""
SERVER, ENDPOINT = "127.0.0.1:50051", "http://localhost:11434/v1"


def blocks(page: Path) -> list[tuple[str, str]]:
    """Kind and text of each block of code."""
    return [(kind, text) for kind, text in BLOCK.findall(page.read_text())]


PAGES = [str(page.relative_to(DOCS)) for page in sorted(DOCS.rglob("*.md")) if blocks(page)]


def votes_of_a_project(server: Any, _: EndpointServer) -> dict[str, Any]:
    """docs/service.md goes on where the README ends: a project "spam" with a model, and people who know."""
    from weaklabel import Votes
    from weaklabel_client import Client

    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 200)
    ids = [f"comment-{n}" for n in range(200)]
    votes = Votes.from_dense(np.where(rng.random((200, 5)) < 0.8, truth[:, None], 1 - truth[:, None]), 2, items=ids)
    with Client(server.address) as client:
        client.create_project("spam", classes=["ham", "spam"])
        client.upload_votes("spam", votes)
        client.fit("spam").result()
    return {"ask_people": lambda items: truth[[ids.index(item) for item in items]]}


def files_of_votes(_: Any, __: EndpointServer) -> dict[str, Any]:
    """docs/scale.md reads a folder of Parquet files."""
    import pandas as pd

    Path("votes").mkdir()
    rng = np.random.default_rng(0)
    for part in range(2):
        ids = [f"m{part}-{n}" for n in range(50)]
        frame = pd.DataFrame({"message_id": ids} | {name: rng.choice(["ham", "spam"], 50) for name in "abc"})
        frame.to_parquet(f"votes/{part}.parquet")
    return {}


BEFORE = {"service.md": votes_of_a_project, "scale.md": files_of_votes}


@pytest.fixture
def model_endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[EndpointServer]:
    """A language model that answers by keyword, as far as it may."""
    server = EndpointServer()

    def answer(request: Request) -> Response:
        may = re.findall(r'"enum": ?\[([^\]]*)\]', request.raw.decode())
        if '"quote"' in request.raw.decode():  # spans are asked for
            found = [
                {"quote": one, "type": "PER", "occurrence": 1} for one in ("Smith", "Jones") if one in request.text
            ]
            return server.completion(json.dumps({"spans": found}))
        if may and '"first"' in may[0]:  # a judge
            return server.completion('{"answer": "first"}')
        word = "no" if "subscribe" not in request.text and may and '"no"' in may[0] else "yes"
        return server.completion(f'{{"answer": "{word}"}}')

    server.reply = answer
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    yield server
    server.stop()


@pytest.fixture
def page_server(page: str, model_endpoint: EndpointServer, request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A server that may ask the endpoint, for pages that name the address of one."""
    if SERVER not in (DOCS / page).read_text():
        return None
    settings = tmp_path / "prompts.toml"
    settings.write_text(f'[endpoints.default]\nbase_url = "{model_endpoint.url}"\n[budget]\n')
    start = request.getfixturevalue("start_server")
    return start(environment={"WEAKLABEL_PROMPTS_FILE": str(settings)})


@pytest.mark.filterwarnings("default::UserWarning")  # pages show what is doubtful, too
@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_run(
    page: str, page_server: Any, model_endpoint: EndpointServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "docs"}
    if page in BEFORE:
        names |= BEFORE[page](page_server, model_endpoint)
    for number, (kind, text) in enumerate(blocks(DOCS / page), start=1):
        text = text.replace(ENDPOINT, model_endpoint.url)
        if page_server is not None:
            text = text.replace(SERVER, page_server.address)
        if kind == "pycon":
            runner = doctest.DocTestRunner(verbose=False)
            runner.run(doctest.DocTestParser().get_doctest(text, names, page, page, 0), clear_globs=False)
            assert runner.failures == 0, f"{page}, block {number}"
        elif any(word in text and find_spec(package) is None for word, package in NOT_IN_THE_LOCK.items()):
            continue
        elif any(word in text for word in IN_PROCESSES_OF_THEIR_OWN.get(page, ())):
            Path("block.py").write_text(text)
            done = subprocess.run([sys.executable, "block.py"], capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{page}, block {number}: {done.stderr}"
        else:
            exec(compile(text, f"{page}, block {number}", "exec"), names)


def test_no_python_hides_in_other_blocks() -> None:
    for page in DOCS.rglob("*.md"):
        other = BLOCK.sub("", page.read_text())
        assert not re.search(r"^ *(from|import) weaklabel", other, re.MULTILINE), page.name
