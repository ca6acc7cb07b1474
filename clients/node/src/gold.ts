// Gold: known classes of items, and sets of classes that hold the true one.

import type { Codebook } from "./generated/weaklabel/v1/Codebook.js";
import { asMatrix, rowsOf, toTensor, type Matrix } from "./tensors.js";
import { bytesOf } from "./uploads.js";

/** What is known of an item: its class, -1 for nothing; a set of classes of which it is one; or classes that it is not. */
export type Known = number | { oneOf: readonly number[] } | { not: readonly number[] };

/** Whether something else than a class is among them: then the number of classes is needed. */
export function hasSets(known: readonly Known[]): boolean {
  return known.some((one) => typeof one !== "number");
}

/** Gold as messages carry it, row after row. */
export class Gold {
  private readonly sets: Uint8Array[] = [];
  private readonly codes: Matrix<Int8Array | Int16Array | Int32Array>;

  /**
   * @param known Of each item.
   * @param classes The number of classes; read where there are sets.
   * @throws RangeError for a set that does not fit them.
   */
  constructor(
    known: readonly Known[],
    private readonly classes: number,
  ) {
    const codeOf = new Map<string, number>();
    const codes = known.map((one, at) => {
      if (typeof one === "number") {
        return [one];
      }
      const set = bits(one, classes, at);
      const key = set.join();
      if (!codeOf.has(key)) {
        codeOf.set(key, classes + this.sets.length);
        this.sets.push(set);
      }
      return [codeOf.get(key)!];
    });
    this.codes = asMatrix(codes);
  }

  get rows(): number {
    return this.codes.rows;
  }

  /** Bytes of a row in a message, at most, its id apart. */
  get rowBytes(): number {
    return 8 + (this.sets[0]?.length ?? 0);
  }

  /** All that says what is known, for a digest. */
  get content(): Uint8Array[] {
    return [bytesOf(this.codes.data), ...this.sets];
  }

  /** The fields of some rows, with the sets that they use. */
  values(first: number, end: number): { gold: ReturnType<typeof toTensor>; gold_codebook?: Codebook } {
    const part = rowsOf(this.codes, first, end);
    if (!this.sets.length) {
      return { gold: toTensor(part) };
    }
    const used = new Map<number, number>(); // codes of the chunk, which begin anew
    const codes = Array.from(part.data, (code) => {
      if (code >= this.classes && !used.has(code)) {
        used.set(code, this.classes + used.size);
      }
      return [used.get(code) ?? code];
    });
    const columns = this.sets[0]!.length;
    const data = new Int8Array(used.size * columns);
    [...used.keys()].forEach((code, at) => data.set(this.sets[code - this.classes]!, at * columns));
    const sets = toTensor({ data, rows: used.size, columns });
    const book = used.size ? { gold_codebook: { class_count: this.classes, candidate_sets: sets } } : {};
    return { gold: toTensor(asMatrix(codes)), ...book };
  }
}

/** A bit a class, from the least significant one. */
function bits(known: Exclude<Known, number>, classes: number, at: number): Uint8Array {
  const [named, inside] = "oneOf" in known ? [known.oneOf, true] : [known.not, false];
  const right = named.every((one) => Number.isInteger(one) && one >= 0 && one < classes);
  const distinct = new Set(named).size === named.length;
  if (!right || !distinct || !named.length || (!inside && named.length === classes)) {
    throw new RangeError(`gold: item ${at}: ${JSON.stringify(known)} is no set of ${classes} classes`);
  }
  const set = new Uint8Array(Math.ceil(classes / 8));
  for (let label = 0; label < classes; label++) {
    if (named.includes(label) === inside) {
      set[label >> 3]! |= 1 << (label & 7);
    }
  }
  return set;
}
