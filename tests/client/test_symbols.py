"""Votes that say less than one class, through a real server: every form of them comes back with its meaning."""

import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

import weaklabel_client as wc
from weaklabel.votes import Votes
from weaklabel.votes import symbols as library
from weaklabel_client import InvalidArgument

CLASSES = ["a", "b", "c"]
SOURCES = ["s0", "s1", "s2", "s3"]
ROWS: list[list[Any]] = [
    [0, wc.one_of(0, 2), wc.soft([0.5, 0.25, 0.25]), -1],
    [wc.not_(1), 2, -2, wc.soft([0.125, 0.125, 0.75])],
    [wc.one_of(1), wc.one_of(2, 0), 1, wc.not_(0, 2)],
    [-1, wc.one_of(0, 1, 2), wc.soft([0, 1, 0]), wc.one_of(0, 1)],
]


def in_library(vote: Any) -> Any:
    """The vote object of weaklabel for one of the client."""
    if isinstance(vote, int):
        return vote
    if isinstance(vote, wc.SoftVote):
        return library.soft(vote.probabilities)
    return (library.one_of if isinstance(vote, wc.CandidateSet) else library.not_)(*vote.classes)


def expected(sources: list[str] = SOURCES) -> Votes:
    """The votes, made by the library; it cannot mix vote objects with failures."""
    rows = [[in_library(vote) if vote != -2 else -1 for vote in row] for row in ROWS]
    return Votes.from_dense(rows, 3, sources=sources)


def meaning(read: wc.VoteMatrix) -> Votes:
    """What was read, as the library understands it."""
    votes = np.maximum(read.votes, -1)
    if read.codebook is None:
        return Votes.from_codes(votes, 3, sources=read.sources)
    symbols, codes = library.Symbols.of(read.codebook.candidate_sets, read.codebook.soft_votes)
    assert codes.tolist() == list(range(3, 3 + len(read.codebook)))  # the server's codebook says nothing twice
    return Votes.from_codes(votes, 3, symbols=symbols, sources=read.sources)


def objects(rows: list[list[Any]]) -> npt.NDArray[np.object_]:
    array = np.empty((len(rows), len(rows[0])), object)
    for at in np.ndindex(array.shape):
        array[at] = rows[at[0]][at[1]]
    return array


FORMS: dict[str, Callable[[], Any]] = {
    "lists": lambda: ROWS,
    "an array of objects": lambda: objects(ROWS),
    "a data frame": lambda: pd.DataFrame(objects(ROWS), columns=SOURCES),
    "the objects of weaklabel": lambda: [[in_library(vote) for vote in row] for row in ROWS],
    "weaklabel's Votes": expected,
    "sparse Votes": lambda: Votes.concatenate_sources(
        [
            Votes.from_triples([], [], [], n_classes=3, n_items=4, source_names=[], n_sources=0),
            expected(),
        ]
    ),
    "chunks": lambda: iter([ROWS[:1], ROWS[1:3], objects(ROWS)[3:]]),
}


@pytest.mark.parametrize("form", FORMS)
async def test_every_form_comes_back_with_its_meaning(client: Any, project: str, form: str) -> None:
    await client.create_project(project, classes=CLASSES)
    await client.upload_votes(project, FORMS[form](), sources=SOURCES)
    read = await client.read_votes(project)
    assert meaning(read) == expected()
    if form not in ("weaklabel's Votes", "sparse Votes"):
        assert read.votes[1, 2] == -2
    assert [read.vote_at(0, m) for m in range(4)] == [0, wc.one_of(0, 2), wc.soft([0.5, 0.25, 0.25]), -1]
    assert read.vote_at(1, 0) == wc.one_of(0, 2)

    again = f"{project}-again"
    await client.create_project(again, classes=CLASSES)
    await client.upload_votes(again, read.votes, sources=SOURCES, codebook=read.codebook)
    assert meaning(await client.read_votes(again)) == expected()


async def test_triples_and_soft_tensors(client: Any, project: str) -> None:
    await client.create_project(project, classes=CLASSES)
    cells = [(i, m, vote) for i, row in enumerate(ROWS) for m, vote in enumerate(row)]
    items, sources, labels = zip(*cells, strict=True)
    triples = objects([list(labels)])[0]
    await client.upload_triples(project, items, sources, triples, source_names=SOURCES)
    assert meaning(await client.read_votes(project)) == expected()

    nan = [np.nan] * 3
    tensor = np.array([[[0.5, 0.25, 0.25], nan], [[0, 0, 0], [0, 1, 0]], [[1 / 3] * 3, [0.1, 0.2, 0.7]]])
    await client.upload_votes(project, tensor, sources=["llm", "clf"])
    read = await client.read_votes(project)
    columns = [read.sources.index(name) for name in ("llm", "clf")]
    fetched = meaning(read).select_sources(["llm", "clf"]).select_items(np.arange(3))
    assert fetched == Votes.from_soft(tensor, sources=["llm", "clf"])
    assert read.votes[:3, columns[1]].tolist()[:2] == [-1, 1]


async def test_many_soft_votes_take_many_messages(client: Any, project: str) -> None:
    classes = [f"c{k}" for k in range(50)]
    rng = np.random.default_rng(0)
    tensor = rng.dirichlet(np.ones(50), size=(12_000, 3)).astype(np.float32)  # 7.2 MB
    tensor[rng.random((12_000, 3)) < 0.2] = np.nan
    await client.create_project(project, classes=classes)
    seen: list[int] = []
    first = await client.upload_votes(project, tensor, progress=lambda step: seen.append(step.committed_rows))
    assert len(seen) >= 2
    read = await client.read_votes(project)
    assert read.codebook is not None
    symbols, _ = library.Symbols.of(read.codebook.candidate_sets, read.codebook.soft_votes)
    assert Votes.from_codes(read.votes, 50, symbols=symbols) == Votes.from_soft(tensor)
    assert (first.added, (await client.upload_votes(project, tensor)).added) == (True, False)
    tensor[7, 1] = rng.dirichlet(np.ones(50))
    assert (await client.upload_votes(project, tensor)).added


async def test_what_was_said_before_is_replaced(client: Any, project: str) -> None:
    """Versions of several uploads with codebooks of their own are read under one."""
    await client.create_project(project, classes=CLASSES)
    await client.upload_votes(project, ROWS, sources=SOURCES)
    await client.upload_votes(project, [[wc.soft([0.5, 0.25, 0.25])], [wc.one_of(0, 1)]], sources=["s1"])
    read = await client.read_votes(project)
    assert [read.vote_at(row, 1) for row in range(4)] == [
        wc.soft([0.5, 0.25, 0.25]),
        wc.one_of(0, 1),
        wc.one_of(0, 2),
        -1,
    ]
    assert meaning(await client.read_votes(project, votes_version=1)) == expected()
    part = [chunk async for chunk in client.iter_votes(project, row_offset=1, row_limit=1)]
    assert part[0].vote_at(0, 1) == wc.one_of(0, 1)


async def test_plain_votes_have_no_codebook(client: Any, project: str) -> None:
    await client.create_project(project, classes=CLASSES)
    await client.upload_votes(project, [[0, wc.one_of(2)], [wc.not_(0, 1), -1]])
    read = await client.read_votes(project)
    assert read.codebook is None
    assert read.votes.dtype == np.int8
    assert read.votes.tolist() == [[0, 2], [2, -1]]


@pytest.mark.parametrize(
    ("votes", "message"),
    [
        ([[wc.one_of(0, 5)]], r"one_of\(0, 5\) is no vote on 3 classes"),
        ([[wc.not_(0, 1, 2)]], r"not_\(0, 1, 2\) is no vote on 3 classes"),
        ([[wc.soft([0.5, 0.5])]], r"soft\(\[0.5, 0.5\]\) is no vote on 3 classes"),
        ([[wc.one_of(0, 1), -4]], r"-4 at \[0, 1\] is no class index"),
        ([[wc.one_of(0, 1), "x"]], "row 0, column 1 is x"),
        ([[[0.5, 0.6, 0.1]]], "row 0, column 0: probabilities that sum to 1"),
    ],
)
async def test_votes_that_do_not_fit_are_refused(client: Any, project: str, votes: Any, message: str) -> None:
    await client.create_project(project, classes=CLASSES)
    with pytest.raises(ValueError, match=message):
        await client.upload_votes(project, votes)


async def test_a_tensor_of_other_classes_is_refused_by_the_server(client: Any, project: str) -> None:
    await client.create_project(project, classes=CLASSES)
    with pytest.raises(InvalidArgument, match=r"chunk\.codebook\.class_count: the number of classes, 3, got 2"):
        await client.upload_votes(project, np.array([[[0.5, 0.5]], [[0.4, 0.6]]]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: wc.one_of(), "distinct class indices are expected"),
        (lambda: wc.one_of(0, 0), "distinct class indices"),
        (lambda: wc.not_(True), "distinct class indices"),
        (lambda: wc.not_(-1), "distinct class indices"),
        (lambda: wc.soft([0.5, 0.6]), "sum of 1.1"),
        (lambda: wc.soft([1.5, -0.5]), "at least 0"),
        (lambda: wc.soft([1]), "for each class"),
    ],
)
def test_bad_vote_objects_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


async def test_an_upload_of_vote_objects_is_taken_up(
    start_server: Callable[..., Any], connect: Callable[..., Any], make_proxy: Callable[[str], Any]
) -> None:
    """The connection is lost on the way: chunks are sent again, each with its codebook."""
    proxy = make_proxy(start_server().address)
    client = connect(proxy.address)
    rng = np.random.default_rng(1)
    tensor = rng.dirichlet(np.ones(20), size=(30_000, 2)).astype(np.float32)
    await client.create_project("cut", classes=[f"c{k}" for k in range(20)])
    proxy.cut_after(1_500_000, 1_500_000)
    await client.upload_votes("cut", tensor, upload_id=str(uuid.uuid4()))
    assert proxy.n_connections >= 3
    read = await client.read_votes("cut")
    symbols, _ = library.Symbols.of(read.codebook.candidate_sets, read.codebook.soft_votes)
    assert Votes.from_codes(read.votes, 20, symbols=symbols) == Votes.from_soft(tensor)
