#!/usr/bin/env python
"""Label quality of the default model: real votes with gold and simulated ones, beside baselines and peers.

    make bench-quality DATA=folder
    .venv/bin/python benchmarks/quality.py folder --peers-python peers/bin/python
    .venv/bin/python benchmarks/quality.py folder --groups llm --no-comparison --gold 20 50 100
    .venv/bin/python benchmarks/quality.py --quick                                             (simulated votes only)

Reads every archive in the folder's weak/, llm/, crowd/ and partial/: `votes` int [N, M] (-1 abstains), or `item`,
`worker`, `label` triples with `n_workers`, or `candidates` [N, K] with `features` [N, D]; `gold` [N] (-1 unknown);
`split` [N] (2: test); `n_classes`. Simulated families are drawn here, with fixed seeds. Models see all items' votes
and, unless told, never the gold; scores are on the test items where there are any, else on all items with gold.

score    F1 of class 1 on sms, spouse, basketball and simulated rare classes, accuracy elsewhere; ties are shared
NLL      negative log-likelihood of the probabilities, clipped at 1e-6; Brier: summed over classes; ECE: 15 equal bins

Intervals are of paired differences, 95 %, by a bootstrap over families of sets (sets of one maker or one panel).

--gold   gold labels drawn at random, accuracy on the rest, at most 2,000 items a set; beside smoothed vote shares, the
         best source by gold, and a stacker (logistic regression on votes and shares).
--resample R  makes R problems out of each set: a random subset of at least 3 sources, and a bootstrap of the items, the
         same for all models.
--leave-one-family-out name=1,2,3  sets a constant of the model to each value, chooses by NLL on all families but one,
         and scores that one.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from label_quality.baselines import PeerBoard, read_published
from label_quality.comparison import compare, print_comparison
from label_quality.gold_curves import N_ITEMS, gold_curves
from label_quality.leave_one_out import leave_one_family_out, parse
from label_quality.problems import GROUPS, Problem, cut, read_groups
from label_quality.resampling import resampled
from label_quality.simulated import simulate
from label_quality.tables import Printer, Row, write_csv

PEERS_KEPT = Path("benchmarks/results/peers.json")
QUICK_ITEMS = 300


def arguments_of(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", help="folder with weak/, llm/, crowd/, partial/")
    parser.add_argument("--groups", nargs="+", choices=[*GROUPS, "simulated"], help="default: all that there are")
    parser.add_argument("--sets", nargs="+", metavar="PATTERN", help='such as "llm/*", "*/sms", "simulated/unipolar *"')
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ITEMS} items a set, one simulated set a family")
    parser.add_argument("--no-comparison", action="store_true", help="without the tables of all models on all sets")
    parser.add_argument("--gold", type=int, nargs="+", default=[], metavar="G", help="also fit with G gold labels")
    parser.add_argument("--draws", type=int, default=4, help="draws of gold")
    parser.add_argument("--resample", type=int, default=0, metavar="R", help="problems to make out of each set")
    parser.add_argument("--leave-one-family-out", type=parse, nargs="+", default=[], metavar="NAME=VALUES")
    parser.add_argument("--peers", type=Path, help="CSV of published figures (default: ../bench/quality.csv)")
    parser.add_argument("--peers-python", type=Path, help="python of an environment with snorkel, crowd-kit, hyperlm")
    parser.add_argument("--markdown", action="store_true", help="print tables as they go into the docs")
    parser.add_argument("--json", type=Path, help="file for all figures")
    parser.add_argument("--csv", type=Path, help="file for the scores, one line a model and set")
    return parser.parse_args(argv)


def problems_of(arguments: argparse.Namespace) -> list[Problem]:
    """The sets that were asked for."""
    groups = arguments.groups or [*(GROUPS if arguments.data else ()), "simulated"]
    real = [group for group in groups if group != "simulated"]
    if real and arguments.data is None:
        raise SystemExit(f"say in which folder {', '.join(real)} are")
    problems = list(read_groups(arguments.data, real)) if real else []
    if "simulated" in groups:
        problems += simulate(1 if arguments.quick else None)
    if arguments.sets:
        problems = [p for p in problems if any(fnmatch.fnmatch(p.key, pattern) for pattern in arguments.sets)]
    if not problems:
        raise SystemExit("no set is called so")
    return [cut(problem, QUICK_ITEMS) for problem in problems] if arguments.quick else problems


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the benchmark."""
    arguments = arguments_of(argv)
    problems, printer = problems_of(arguments), Printer(markdown=arguments.markdown)
    board = PeerBoard(PEERS_KEPT, arguments.peers_python)
    figures: dict[str, Any] = {}
    rows: list[Row] = []
    if not arguments.no_comparison:
        published = arguments.peers or (arguments.data or Path()).parent / "bench" / "quality.csv"
        known = read_published(published) if published.exists() and not arguments.quick else {}
        for problem in problems:
            rows += compare(problem, board)
            print(f"  {problem.key}: done", file=sys.stderr)
        print_comparison(printer, rows, known)
        figures["sets"] = as_figures(rows)
    if arguments.gold:
        real = [p for p in problems if p.group != "simulated" or arguments.groups or arguments.data is None]
        n_items = QUICK_ITEMS if arguments.quick else N_ITEMS
        curves = gold_curves(real, arguments.gold, arguments.draws, n_items, printer)
        figures["gold"] = as_figures(curves)
        rows = rows + curves
    if arguments.resample:
        real = [p for p in problems if p.votes.is_plain and (p.group != "simulated" or arguments.groups)]
        scored, fits = resampled(real, arguments.resample, board, printer)
        figures["resampled"] = {"scores": as_figures(scored), "fits": [fit._asdict() for fit in fits]}
    if arguments.leave_one_family_out:
        constants = dict(arguments.leave_one_family_out)
        figures["leave one family out"] = leave_one_family_out(problems, constants, printer)
    if arguments.csv:
        write_csv(arguments.csv, rows)
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(figures, indent=1))


def as_figures(rows: list[Row]) -> list[dict[str, Any]]:
    """Rows as plain records."""
    return [row._asdict() | {"scores": row.scores._asdict()} for row in rows]


if __name__ == "__main__":
    main()
