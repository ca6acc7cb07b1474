"""Making votes of arrays, triples, probabilities and frames."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Literal, Self

from numpy.typing import ArrayLike

from weaklabel.errors import InvalidArgumentError
from weaklabel.votes.codebook import candidate_cells, soft_cells
from weaklabel.votes.constructors import Cells, matrix_parts, tensor_parts, triple_parts
from weaklabel.votes.frames import frame_parts
from weaklabel.votes.matrix.state import VotesState
from weaklabel.votes.symbols import ImpreciseVote, Symbols
from weaklabel.votes.validation import ABSTAIN, ERROR


class Making(VotesState):
    """Class methods of `Votes` that make some."""

    __slots__ = ()

    @classmethod
    def from_dense(
        cls,
        array: Cells,
        n_classes: int,
        *,
        symbols: Symbols | Iterable[ImpreciseVote] | None = None,
        sources: Iterable[str] | None = None,
        items: Iterable[Hashable] | None = None,
    ) -> Self:
        """Votes as a matrix. Here `sources` and `items` name its columns and rows.

        In `from_triples`, where `items` and `sources` are the triples themselves, the names are `source_names` and
        `item_ids`.

        Args:
            array: [N, M] whole numbers: class indices 0..K-1, or -1 for an abstain; what is missing (None, NaN,
                `pandas.NA`, a null of polars or pyarrow, a masked cell) abstains, too. Kept without a copy where it is
                already of the smallest signed integer type that holds K: do not change it afterwards. Vote objects
                (`one_of`, `not_`, `soft`) may stand among the numbers.
            n_classes: K, at least 2.
            symbols: what the codes K, K + 1, ... in `array` stand for: a list of vote objects, or a codebook.
            sources: M distinct names. Where not given, the column names of a table, numbers written out; and
                "source_0", "source_1", ... for arrays, and for pandas' default columns, which only count.
            items: N distinct ids, kept as str. Where not given, those of a pandas index, unless it is the default one;
                otherwise items go by position.

        Raises:
            InvalidVotesError: for ragged input, bools, fractions, labels out of range, sparse matrices, vote objects
                that do not fit K classes, names and ids that repeat, are missing or too few; it names the first place.
        """
        return cls._make(*matrix_parts(array, n_classes, symbols, sources, items, lowest=ABSTAIN))

    @classmethod
    def from_codes(
        cls,
        codes: Cells,
        n_classes: int,
        *,
        symbols: Symbols | Iterable[ImpreciseVote] | None = None,
        sources: Iterable[str] | None = None,
        items: Iterable[Hashable] | None = None,
    ) -> Self:
        """As `from_dense`, for a matrix that may also hold ERROR (-2) where a source failed on an item."""
        return cls._make(*matrix_parts(codes, n_classes, symbols, sources, items, lowest=ERROR))

    @classmethod
    def from_soft(
        cls,
        probabilities: ArrayLike,
        *,
        sources: Iterable[str] | None = None,
        items: Iterable[Hashable] | None = None,
    ) -> Self:
        """Soft votes: one probability per class, as of classifiers or from language models' log-probabilities.

        Args:
            probabilities: [N, M, K], or [N, K] of one source: numbers of at least 0 that sum to 1 within 1e-3. A row
                that is missing throughout, or zeros, abstains.
            sources: M distinct names; "source_0", "source_1", ... where not given.
            items: N distinct ids, as in `from_dense`.

        Raises:
            InvalidVotesError: for rows that are no distributions, naming the first place, and for names and ids as in
                `from_dense`.
        """
        return cls._make(*tensor_parts(probabilities, "probabilities", sources, items, soft_cells))

    @classmethod
    def from_candidates(
        cls,
        candidates: ArrayLike,
        *,
        sources: Iterable[str] | None = None,
        items: Iterable[Hashable] | None = None,
    ) -> Self:
        """Votes for candidate sets.

        Args:
            candidates: [N, M, K], or [N, K] of one source: True or 1 for the classes of each set. A set of all classes
                abstains, and so does a row that is missing throughout.
            sources: M distinct names; "source_0", "source_1", ... where not given.
            items: N distinct ids, as in `from_dense`.

        Raises:
            InvalidVotesError: for a set without classes and numbers but 0 and 1, naming the first place, and for names
                and ids as in `from_dense`.
        """
        return cls._make(*tensor_parts(candidates, "candidates", sources, items, candidate_cells))

    @classmethod
    def from_triples(
        cls,
        items: ArrayLike,
        sources: ArrayLike,
        labels: ArrayLike | Sequence[object],
        *,
        n_classes: int,
        symbols: Symbols | Iterable[ImpreciseVote] | None = None,
        n_items: int | None = None,
        n_sources: int | None = None,
        source_names: Iterable[str] | None = None,
        item_ids: Iterable[Hashable] | None = None,
        repeated: Literal["last", "error"] = "last",
    ) -> Self:
        """Votes as one triple (item, source, label) a vote: for many sources that are silent on most items.

        Here `item_ids` and `source_names` name what `items` and `sources` point to; in `from_dense`, which has no
        indices, the names themselves are called `items` and `sources`.

        Args:
            items: [V] ids. Texts are numbered by appearance, integers in ascending order. Where `n_items` or `item_ids`
                is given, integers are indices 0..N-1.
            sources: [V] names, or with `n_sources` or `source_names` indices 0..M-1, likewise.
            labels: [V] class indices 0..K-1; -1, or what is missing, abstains, which is the same as leaving the triple
                out, except that its item and source are known. Vote objects (`one_of`, `not_`, `soft`) may stand among
                them.
            n_classes: K, at least 2.
            symbols: what the codes K, K + 1, ... in `labels` stand for: a list of vote objects, or a codebook.
            n_items: N, where items are indices.
            n_sources: M, where sources are indices.
            source_names: M distinct names, where sources are indices.
            item_ids: N distinct ids, where items are indices.
            repeated: what to do where a source votes on an item twice: "last" keeps the later vote, "error" refuses.

        Raises:
            InvalidVotesError: for arrays of unequal length, indices or labels out of range, ids or labels that are
                missing or bools, vote objects that do not fit K classes, and, if asked for, repeated pairs; it names
                the first place.
            InvalidArgumentError: if repeated is neither "last" nor "error".
        """
        if repeated not in ("last", "error"):
            raise InvalidArgumentError(f'repeated must be "last" or "error", got {repeated!r}', field="repeated")
        parts = triple_parts(
            items,
            sources,
            labels,
            n_classes,
            symbols,
            n_items=n_items,
            n_sources=n_sources,
            source_names=source_names,
            item_ids=item_ids,
            refuse_repeated=repeated == "error",
        )
        return cls._make(*parts)

    @classmethod
    def from_pandas(
        cls,
        frame: Any,
        *,
        classes: Sequence[str] | None = None,
        sources: Sequence[str] | None = None,
        ids: str | None = None,
        gold: str | None = None,
        long: Sequence[str] | None = None,
        abstain: Iterable[object] = (),
    ) -> Self:
        """Votes of a frame of pandas, polars or pyarrow, whose cells are names of classes, or numbers.

        A wide frame has a row an item and a column a source. A long one has a row a vote: where `long` names its
        columns, or where these are called as is usual ("task", "worker", "label"; "item", "source", "vote"; ...). The
        names of the classes are kept in `classes`, for `LabelModel(classes=votes.classes)` and for `to_pandas`.

        What is missing (None, NaN, `pandas.NA`, a null), an empty text, and "NA", "nan", "None" and the like unless
        they are named as classes, abstain; so does -1 beside the class 0, or where classes are words.

        Args:
            frame: the frame.
            classes: K names, in the order of the class indices; where they are words, whole numbers 0..K-1 in the
                frame are indices. Where not given, the categories of categorical columns, or else all that stands
                there, sorted, numbers by their size.
            sources: columns of votes of a wide frame; all but `ids` and `gold` where not given.
            ids: column of item ids of a wide frame. Where not given, the index of pandas, unless it is the default one,
                or else the column called "id", "item", "item_id" or "uid", if there is one. Numbers are ids, too.
            gold: column of known labels, which is left out; give it to `fit`, see `gold_of`.
            long: the columns of item, source and label.
            abstain: what else abstains.

        Raises:
            InvalidVotesError: for what is no frame, columns that are not there or may be known labels, ids that repeat
                or are missing, cells that are no class, and two different votes of one source on one item; with row and
                column.
            InvalidArgumentError: for a class that is given twice, or as an abstain as well.

        Examples:
            >>> import pandas as pd
            >>> frame = pd.DataFrame({"ann": ["ham", "spam"], "bob": ["ham", None]}, index=["m1", "m2"])
            >>> votes = Votes.from_pandas(frame)
            >>> votes.classes, votes.item_ids.tolist(), votes.to_dense().tolist()
            (('ham', 'spam'), ['m1', 'm2'], [[0, 0], [1, -1]])
        """
        parts = frame_parts(
            frame, classes=classes, sources=sources, ids=ids, gold=gold, long=long, abstain=tuple(map(str, abstain))
        )
        return cls._make(*parts)
