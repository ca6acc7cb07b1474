"""Sequences."""

# Methods have the names, arguments and documentation of Kind.
# ruff: noqa: ARG002, D102

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel import SequenceModel
from weaklabel._archive import MOST_BYTES
from weaklabel.errors import InvalidVotesError
from weaklabel.kinds.sequences.schemes import Scheme, read_scheme
from weaklabel.kinds.sequences.scores import METRICS
from weaklabel.kinds.sequences.spans import find_spans, spans_to_tags
from weaklabel_protocol.columns import Table, Texts
from weaklabel_protocol.label_spaces import Sequences
from weaklabel_server.jobs.kinds.kind import FitArguments, Inspection, Kind, Tables, Told, inspection, table_of

Spans = list[list[tuple[int, int, str]] | None]


class Documents(NamedTuple):
    """Documents in the order in which they come, and what each source says of their tokens."""

    names: tuple[str, ...]
    lengths: NDArray[np.int64]
    votes: dict[str, NDArray[np.int16]]
    """[T] tags of each source, -1 where it abstains."""


class SequenceKind(Kind[SequenceModel]):
    """Spans of tokens: the table "spans" has a row a span, "tokens" one a token, with a probability a tag."""

    def __init__(self, space: Sequences) -> None:
        self._types, self._scheme_name, self._n_tags = tuple(space.types), space.scheme, len(space.tags)

    @property
    def _scheme(self) -> Scheme:
        return read_scheme(self._types, self._scheme_name)

    def fit(self, votes: Table, gold: Table | None, arguments: FitArguments) -> SequenceModel:
        read = self._documents(votes, "votes")
        if not read.votes:
            raise InvalidVotesError("there are no sources in the votes", field="votes")
        model = SequenceModel(
            self._types,
            scheme=self._scheme_name,  # type: ignore[arg-type]  # one of these was checked
            seed=arguments.seed,
            **arguments.of("silence", "decoding"),
        )
        return model.fit(
            read.votes,
            lengths=read.lengths,
            gold=None if gold is None else self._known(gold, read),
            progress=arguments.progress,
        )

    def open(self, data: bytes, most_bytes: int = MOST_BYTES) -> SequenceModel:
        return SequenceModel.from_bytes(data, most_bytes=most_bytes)

    def fault(self, model: SequenceModel) -> str:
        same = tuple(model.types) == self._types and model.scheme == self._scheme_name
        told = f"{', '.join(model.types)} as {model.scheme}", f"{', '.join(self._types)} as {self._scheme_name}"
        return "" if same else f"its types are {told[0]:.100}, those of the project {told[1]:.100}"

    def probe(self, model: SequenceModel) -> Table:
        names = tuple(model.source_names)
        at = np.zeros(len(names), np.int32)
        return Table(
            {
                "document": Texts(("d",), at),
                "tokens": at + np.int32(3),
                "source": Texts(names, np.arange(len(names), dtype=np.int32)),
                "start": at,
                "end": at + np.int32(2),
                "type": Texts(self._types, at),
            }
        )

    def save(self, model: SequenceModel) -> bytes:
        return model.to_bytes()

    def labels(self, model: SequenceModel, votes: Table, options: Mapping[str, Any]) -> Tables:
        return self.predict(model, votes, options)

    def predict(self, model: SequenceModel, records: Table, options: Mapping[str, Any]) -> Tables:
        read = self._documents(records, "records")
        if not read.votes:  # of documents that no source has read
            read = read._replace(votes={model.source_names[0]: np.full(read.lengths.sum(), -1, np.int16)})
        soft, hard = model.label(read.votes, lengths=read.lengths)
        spans, ends = find_spans(hard, read.lengths, self._scheme), np.cumsum(read.lengths)
        of_span = np.searchsorted(ends, spans.start, side="right")
        first = (ends - read.lengths)[of_span]
        document = np.repeat(np.arange(len(read.names)), read.lengths)
        found = {
            "document": Texts(read.names, of_span.astype(np.int32)),
            "start": spans.start - first,
            "end": spans.end - first,
            "type": Texts(self._types, spans.type_of.astype(np.int32)),
        }
        tokens = {
            "document": Texts(read.names, document.astype(np.int32)),
            "token": np.arange(len(document)) - np.repeat(ends - read.lengths, read.lengths),
            "tag": Texts(model.tags, hard),
        }
        probabilities = {f"probability_{tag}": soft[:, at].copy() for at, tag in enumerate(model.tags)}
        return {"spans": table_of(found), "tokens": table_of(tokens | probabilities)}

    def sources(self, model: SequenceModel) -> dict[str, Any]:
        columns = list(zip(*model.summary, strict=True))
        return {name: np.array(values) for name, values in zip(model.summary[0]._fields, columns, strict=True)}

    def told(self, model: SequenceModel) -> Told:
        size = f"{model.diagnostics.tokens:,} tokens, {len(model.source_names):,} sources"
        return Told(
            iterations=model.n_iter,
            converged=model.converged,
            objective=model.objective,
            warnings=tuple(finding.message for finding in model.diagnostics.findings),
            text=f"{size}\n{model.diagnostics}",
        )

    def score(self, model: SequenceModel, votes: Table | None, gold: Table, metrics: Sequence[str]) -> dict[str, float]:
        assert votes is not None
        read = self._documents(votes, "votes")
        known = self._known(gold, read)
        return {name: model.score(read.votes, known, name, lengths=read.lengths) for name in metrics or METRICS}

    def inspect(self, model: SequenceModel) -> Inspection:
        told, tags = model.diagnostics, tuple(model.tags)

        def transitions() -> dict[str, Any]:
            before, tag = np.indices((len(tags), len(tags)), np.int32).reshape(2, -1)
            probability = model.transitions[before, tag].astype(np.float64)
            return {"before": Texts(tags, before), "tag": Texts(tags, tag), "probability": probability}

        return inspection(
            told.findings,
            {
                "contradicted": told.contradicted,
                "invented": told.invented,
                "fallback": told.fallback,
                "tokens": told.tokens,
            },
            sources=(len(model.source_names), lambda: self.sources(model)),
            transitions=(len(tags) ** 2, transitions),
        )

    def cells(self, votes: Table) -> int:
        """Tokens times tags and sources."""
        documents, sources = votes.columns["document"], votes.columns.get("source")
        assert isinstance(documents, Texts)
        lengths = np.zeros(len(documents.names), np.int64)
        lengths[documents.codes] = votes.numbers("tokens")
        return int(lengths.sum()) * (self._n_tags + (len(sources.names) if isinstance(sources, Texts) else 1))

    def _documents(self, table: Table, field: str) -> Documents:
        """The documents of records, and the tags that their rows stand for.

        Raises:
            InvalidVotesError: It names the row, or the source and document.
        """
        documents, sources = table.columns["document"], table.columns["source"]
        assert isinstance(documents, Texts)
        assert isinstance(sources, Texts)
        lengths = _lengths(table, documents, field)
        votes = {
            name: self._tags_of(table, np.flatnonzero(sources.codes == at), documents, lengths, name)
            for at, name in enumerate(sources.names)
        }
        return Documents(documents.names, lengths, votes)

    def _tags_of(
        self, table: Table, rows: NDArray[np.int64], documents: Texts, lengths: NDArray[np.int64], name: str
    ) -> NDArray[np.int16]:
        """[T] what one source says: spans, or tags of tokens; -1 in documents that it has not read."""
        start, end = table.numbers("start"), table.numbers("end")
        if "tag" not in table:
            spans: Spans = [None] * len(lengths)
            types = table.texts("type")
            for row in rows.tolist():
                here = spans[documents.codes[row]] or []
                spans[documents.codes[row]] = here
                if types[row] is not None:
                    here.append((int(start[row]), int(end[row]), types[row]))
            return spans_to_tags(spans, lengths, self._scheme, name)
        tags = np.full(int(lengths.sum()), -1, np.int16)
        offset = np.cumsum(lengths) - lengths
        code = {tag: at for at, tag in enumerate(self._scheme.tags)}
        given = table.texts("tag")
        for row in rows.tolist():
            if given[row] is None:
                continue
            at = int(documents.codes[row])
            if not 0 <= start[row] < end[row] <= lengths[at]:
                raise InvalidVotesError(
                    f"source {name!r}, row {row}: tokens {start[row]} to {end[row]} are not within the {lengths[at]} "
                    f"tokens of document {documents.names[at]!r}",
                    field="votes",
                )
            part = tags[offset[at] + start[row] : offset[at] + end[row]]
            if (part >= 0).any():
                raise InvalidVotesError(
                    f"source {name!r}, row {row}: tokens {start[row]} to {end[row]} of document "
                    f"{documents.names[at]!r} have a tag already",
                    field="votes",
                )
            part[:] = code[given[row]]
        return tags

    def _known(self, gold: Table, read: Documents) -> NDArray[np.int16]:
        """[T] known tags, -1 where unknown."""
        documents = gold.columns["document"]
        assert isinstance(documents, Texts)
        place = {name: at for at, name in enumerate(read.names)}
        codes = np.empty(len(documents.names), np.int32)
        for at, name in enumerate(documents.names):
            if name not in place:
                raise InvalidVotesError(f"gold is given for document {name!r}, which has no votes", field="gold")
            codes[at] = place[name]
        own = _lengths(gold, documents, "gold")
        wrong = np.flatnonzero(own != read.lengths[codes])
        if len(wrong):
            name = documents.names[wrong[0]]
            raise InvalidVotesError(f"document {name!r} has another number of tokens in gold", field="gold")
        of_votes = Texts(read.names, codes[documents.codes])
        return self._tags_of(gold, np.arange(gold.n_rows), of_votes, read.lengths, "gold")


def _lengths(table: Table, documents: Texts, field: str) -> NDArray[np.int64]:
    """[D] tokens of each document.

    Raises:
        InvalidVotesError: Rows of a document differ in them.
    """
    tokens = table.numbers("tokens")
    lengths = np.zeros(len(documents.names), np.int64)
    lengths[documents.codes] = tokens
    wrong = np.flatnonzero(lengths[documents.codes] != tokens)
    if len(wrong):
        row = int(wrong[0])
        name = documents.names[documents.codes[row]]
        raise InvalidVotesError(
            f"row {row}: document {name!r} has {tokens[row]} tokens here, and {lengths[documents.codes[row]]} in "
            "another row",
            field=field,
        )
    return lengths
