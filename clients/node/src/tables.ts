// Tables of named columns: records as they go up, labels as they come down.

import type { Column } from "./generated/weaklabel/v1/Column.js";
import type { ColumnTable, ColumnTable__Output } from "./generated/weaklabel/v1/ColumnTable.js";
import { fromTensor, toTensor } from "./tensors.js";
import { textBytes } from "./uploads.js";

/** Texts, null where there is none; or numbers, NaN where there is none. */
export type ColumnValues = readonly (string | null)[] | readonly number[] | Float64Array | Float32Array | Int32Array;

/** Columns of one length by name. */
export type Table = Record<string, ColumnValues>;

/** Columns of records that hold whole numbers, and those that hold others; all others hold texts. */
const WHOLE = new Set(["tokens", "start", "end", "yes"]);
const NUMBERS = new Set(["value", "weight"]);

/** Number of rows. Throws RangeError where columns differ in length. */
export function rowsOfTable(table: Table): number {
  const lengths = new Set(Object.values(table).map((column) => column.length));
  if (lengths.size > 1) {
    throw new RangeError(`columns have ${[...lengths].join(" and ")} rows`);
  }
  return [...lengths][0] ?? 0;
}

/** Bytes that a row takes in a message, at most: each may bring texts of its own. */
export function rowBytesOf(table: Table): number {
  const texts = Object.entries(table).filter(([name]) => !WHOLE.has(name) && !NUMBERS.has(name));
  const size = (values: ColumnValues) => 4 + textBytes((values as readonly (string | null)[]).map(String));
  return texts.reduce((sum, [, values]) => sum + size(values), 8 * (Object.keys(table).length - texts.length));
}

/** Rows from first to end of records, as a message. Throws RangeError or TypeError for values of another kind. */
export function toColumnTable(table: Table, first: number, end: number): ColumnTable {
  const columns = Object.entries(table).map(([name, values]): Column => {
    const part = values.slice(first, end);
    if (WHOLE.has(name)) {
      return { name, numbers: toTensor({ data: wholeNumbers(name, part, first), rows: part.length, columns: 1 }) };
    }
    if (NUMBERS.has(name)) {
      const numbers = Float64Array.from(part as readonly number[], (value) => Number(value ?? Number.NaN));
      return { name, numbers: toTensor({ data: numbers, rows: part.length, columns: 1 }) };
    }
    return { name, texts: texts(name, part as readonly (string | null)[], first) };
  });
  return { rows: Math.max(0, end - first), columns };
}

/** A message as columns. */
export function fromColumnTable(table: ColumnTable__Output | null): Table {
  const found: Table = {};
  for (const column of table?.columns ?? []) {
    if (column.texts) {
      const { names, indices } = column.texts;
      found[column.name] = Array.from(fromTensor(indices).data, (code) => names[code] ?? null);
    } else {
      found[column.name] = fromTensor(column.numbers ?? null).data as Float64Array;
    }
  }
  return found;
}

/** Tables with the same columns, one below the other. */
export function concatenateTables(parts: Table[]): Table {
  const whole: Table = {};
  for (const name of Object.keys(parts[0] ?? {})) {
    const columns = parts.map((part) => part[name]!);
    const first = columns[0]!;
    if (Array.isArray(first)) {
      whole[name] = columns.flatMap((column) => [...(column as (string | null)[])]);
    } else {
      const Cells = first.constructor as new (size: number) => Float64Array;
      const data = new Cells(columns.reduce((sum, column) => sum + column.length, 0));
      let at = 0;
      for (const column of columns) {
        data.set(column as Float64Array, at);
        at += column.length;
      }
      whole[name] = data;
    }
  }
  return whole;
}

function wholeNumbers(name: string, values: ColumnValues, first: number): Int32Array {
  return Int32Array.from(values as readonly number[], (value, at) => {
    if (!Number.isInteger(value) || Math.abs(value) >= 2 ** 31) {
      throw new RangeError(`${name}: row ${first + at} is ${value}, a whole number is expected`);
    }
    return value;
  });
}

function texts(name: string, values: readonly (string | null)[], first: number) {
  const place = new Map<string, number>();
  const codes = Int32Array.from(values, (value, at) => {
    if (value === null || value === undefined) {
      return -1;
    }
    if (typeof value !== "string") {
      throw new TypeError(`${name}: row ${first + at} is ${String(value)}, a text is expected`);
    }
    let code = place.get(value);
    if (code === undefined) {
      code = place.size;
      place.set(value, code);
    }
    return code;
  });
  return { names: [...place.keys()], indices: toTensor({ data: codes, rows: codes.length, columns: 1 }) };
}
