"""Source summary, agreement, effective votes, confusion matrices and diagnostics as messages."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from weaklabel.votes.symbols import CandidateSet, Symbols
from weaklabel_protocol.tensors import to_tensor
from weaklabel_protocol.v1 import analysis_pb2
from weaklabel_server.messages.analysis.cutting import NUMBER, cut, text_bytes
from weaklabel_server.messages.codebooks import write_codebook

if TYPE_CHECKING:  # JAX takes seconds to load
    from weaklabel.analysis import EffectiveVotes, PairwiseAgreement, SourceSummary
    from weaklabel.model import Diagnostics


def summary_messages(
    version: int, summary: "SourceSummary", n_classes: int, max_bytes: int
) -> Iterator[analysis_pb2.ReadSourceSummaryResponse]:
    """A source summary as messages."""
    lines = [_line(summary, at, n_classes) for at in range(len(summary.sources))]
    for start, stop in cut((line.ByteSize() + NUMBER for line in lines), max_bytes):
        yield analysis_pb2.ReadSourceSummaryResponse(votes_version=0 if start else version, lines=lines[start:stop])


def agreement_messages(
    version: int, sources: Sequence[str], agreement: "PairwiseAgreement", max_bytes: int
) -> Iterator[analysis_pb2.ReadPairwiseAgreementResponse]:
    """Agreement as messages."""
    sizes = (text_bytes(source) + 12 * len(sources) for source in sources)
    for start, stop in cut(sizes, max_bytes):
        yield analysis_pb2.ReadPairwiseAgreementResponse(
            votes_version=0 if start else version,
            sources=sources[start:stop],
            items=to_tensor(agreement.items[start:stop], np.int32),
            raw=to_tensor(agreement.raw[start:stop], np.float32),
            kappa=to_tensor(agreement.kappa[start:stop], np.float32),
        )


def effective_votes_messages(
    model: str, effective: "EffectiveVotes", max_bytes: int
) -> Iterator[analysis_pb2.ReadEffectiveVotesResponse]:
    """Effective votes as messages: the number, the families, the rows of the pairs."""
    low, high = effective.interval
    yield analysis_pb2.ReadEffectiveVotesResponse(
        model=model,
        summary=analysis_pb2.EffectiveVotesSummary(
            number=effective.number,
            number_low=low,
            number_high=high,
            item_count=effective.n_items,
            by_gold=effective.by == "gold",
            correlation=effective.correlation,
        ),
    )
    families = [analysis_pb2.FamilyVotes(family=name, number=number) for name, number in effective.families.items()]
    for start, stop in cut((family.ByteSize() + NUMBER for family in families), max_bytes):
        yield analysis_pb2.ReadEffectiveVotesResponse(families=families[start:stop])
    sources = effective.sources
    for start, stop in cut((text_bytes(source) + 4 * len(sources) + NUMBER for source in sources), max_bytes):
        yield analysis_pb2.ReadEffectiveVotesResponse(
            sources=sources[start:stop],
            without=[effective.without.get(source, float("nan")) for source in sources[start:stop]],
            pairs=to_tensor(effective.pairs[start:stop], np.float32),
        )


def confusion_messages(
    model: str, sources: Sequence[str], matrices: NDArray[np.float32], max_bytes: int
) -> Iterator[analysis_pb2.ReadConfusionMatricesResponse]:
    """Confusion matrices [M, K, K] as messages of their rows."""
    n_classes = matrices.shape[-1]
    rows = matrices.reshape(-1, n_classes)
    sizes = (
        4 * n_classes + (0 if row % n_classes else text_bytes(sources[row // n_classes])) for row in range(len(rows))
    )
    for start, stop in cut(sizes, max_bytes):
        # The sources m of which row m x K is among start..stop-1.
        first, last = -(-start // n_classes), -(-stop // n_classes)
        yield analysis_pb2.ReadConfusionMatricesResponse(
            model="" if start else model,
            row_offset=start,
            sources=sources[first:last],
            rows=to_tensor(rows[start:stop], np.float32),
        )


def diagnostics_message(diagnostics: "Diagnostics", sources: Sequence[str]) -> analysis_pb2.Diagnostics:
    """What a fit says about itself as a message; sources are told by their places.

    Raises:
        KeyError: It names a source that is not among them.
    """
    place = {source: at for at, source in enumerate(sources)}

    def places(given: Iterable[str]) -> list[int]:
        return [place[source] for source in given]

    return analysis_pb2.Diagnostics(
        findings=[analysis_pb2.Finding(kind=one.kind, message=one.message) for one in diagnostics.findings],
        risk=diagnostics.risk,
        unanimous_items=diagnostics.unanimous_items,
        unanimous_share=diagnostics.unanimous_share,
        balance_shift=diagnostics.balance_shift,
        worse_than_chance=places(diagnostics.worse_than_chance),
        constant=places(diagnostics.constant),
        silent=places(diagnostics.silent),
        views=diagnostics.views,
        joint_items=diagnostics.joint_items,
        likelihood_gain=diagnostics.likelihood_gain,
        excess_correlation=diagnostics.excess_correlation,
        doubt=diagnostics.doubt,
        copies=[analysis_pb2.SourceGroup(sources=places(group)) for group in diagnostics.copies],
        votes_per_parameter=diagnostics.votes_per_parameter,
        converged=diagnostics.converged,
    )


def _line(summary: "SourceSummary", at: int, n_classes: int) -> analysis_pb2.SourceSummaryLine:
    classes = [one for one in summary.polarity[at] if isinstance(one, int)]
    sets = [one for one in summary.polarity[at] if isinstance(one, CandidateSet)]
    members = np.zeros((len(sets), n_classes), bool)
    for row, one in enumerate(sets):
        members[row, list(one.classes)] = True
    line = analysis_pb2.SourceSummaryLine(
        source=summary.sources[at],
        classes=classes,
        candidate_sets=write_codebook(Symbols(members, Symbols.empty(n_classes).soft)),
        coverage=summary.coverage[at],
        overlaps=summary.overlaps[at],
        conflicts=summary.conflicts[at],
        errors=int(summary.errors[at]),
    )
    if summary.correct is not None and summary.incorrect is not None:
        line.correct, line.incorrect = int(summary.correct[at]), int(summary.incorrect[at])
    if summary.empirical_accuracy is not None and not np.isnan(summary.empirical_accuracy[at]):
        line.empirical_accuracy = float(summary.empirical_accuracy[at])
    if summary.learned_accuracy is not None:
        line.learned_accuracy = float(summary.learned_accuracy[at])
    return line
