// Rankings of several items as columns of records of preferences.

import type { Table } from "./tables.js";

/**
 * Columns of records: all pairs of each ranking, the best item first, with the number of the ranking, by which the model
 * takes them together. Judges are one for each ranking; "judge" where not given. Throws RangeError for a ranking of fewer
 * than two distinct items, and for another number of judges.
 */
export function comparisonsFromRankings(rankings: readonly (readonly string[])[], judges?: readonly string[]): Table {
  if (judges && judges.length !== rankings.length) {
    throw new RangeError(`there are ${judges.length} judges for ${rankings.length} rankings`);
  }
  const left: string[] = [];
  const right: string[] = [];
  const judge: string[] = [];
  const weight: number[] = [];
  const ranking: string[] = [];
  for (const [row, items] of rankings.entries()) {
    if (items.length < 2 || new Set(items).size < items.length) {
      throw new RangeError(`ranking ${row} must hold two or more distinct items: ${items.join(", ")}`);
    }
    for (const [at, better] of items.entries()) {
      for (const worse of items.slice(at + 1)) {
        left.push(better);
        right.push(worse);
        judge.push(judges?.[row] ?? "judge");
        weight.push(3 / (items.length + 1)); // of a pair, where it is read as a comparison
        ranking.push(String(row));
      }
    }
  }
  return { left, right, judge, winner: left.map(() => "left"), weight, ranking };
}
