// Matrices, and the raw bytes that they travel as: row-major, little-endian.

import { endianness } from "node:os";
import type { Tensor, Tensor__Output } from "./generated/weaklabel/v1/Tensor.js";

type Elements = Int8Array | Int16Array | Int32Array | Float32Array | Float64Array;

/** A matrix, row after row. */
export interface Matrix<Data extends Elements = Elements> {
  data: Data;
  rows: number;
  columns: number;
}

/** Votes: a row an item and a column a source; class indices, -1 for an abstain, -2 for an error of the source. */
export type Votes = readonly (readonly number[])[] | Matrix<Int8Array | Int16Array | Int32Array>;

const SIZES = { DATA_TYPE_INT8: 1, DATA_TYPE_INT16: 2, DATA_TYPE_INT32: 4, DATA_TYPE_FLOAT32: 4, DATA_TYPE_FLOAT64: 8 };
const CELLS = {
  DATA_TYPE_INT8: Int8Array,
  DATA_TYPE_INT16: Int16Array,
  DATA_TYPE_INT32: Int32Array,
  DATA_TYPE_FLOAT32: Float32Array,
  DATA_TYPE_FLOAT64: Float64Array,
};

/** Votes as a matrix of the smallest integers that hold them. Throws RangeError where they are none. */
export function asMatrix(votes: Votes): Matrix<Int8Array | Int16Array | Int32Array> {
  if (!Array.isArray(votes)) {
    const matrix = votes as Matrix<Int8Array | Int16Array | Int32Array>;
    if (matrix.data.length !== matrix.rows * matrix.columns) {
      throw new RangeError(`votes: ${matrix.data.length} cells are not ${matrix.rows} rows of ${matrix.columns}`);
    }
    return matrix;
  }
  const rows = votes as readonly (readonly number[])[];
  const columns = rows[0]?.length ?? 0;
  let most = 0;
  rows.forEach((row, at) => {
    if (row.length !== columns) {
      throw new RangeError(`votes: row ${at} has ${row.length} votes, row 0 has ${columns}`);
    }
    row.forEach((vote, column) => {
      if (!Number.isInteger(vote) || vote < -2) {
        throw new RangeError(`votes: row ${at}, column ${column} is ${vote}, not a class index, -1 or -2`);
      }
      most = Math.max(most, vote);
    });
  });
  const Cells = most < 128 ? Int8Array : most < 32_768 ? Int16Array : Int32Array;
  const data = new Cells(rows.length * columns);
  rows.forEach((row, at) => data.set(row, at * columns));
  return { data, rows: rows.length, columns };
}

/** Rows from first to end of a matrix; no copy. */
export function rowsOf<Data extends Elements>(matrix: Matrix<Data>, first: number, end: number): Matrix<Data> {
  const last = Math.min(end, matrix.rows);
  const data = matrix.data.subarray(first * matrix.columns, last * matrix.columns) as Data;
  return { data, rows: last - first, columns: matrix.columns };
}

/** A matrix as a message. */
export function toTensor(matrix: Matrix): Tensor {
  const { data, rows, columns } = matrix;
  const name =
    data instanceof Float32Array ? "DATA_TYPE_FLOAT32"
    : data instanceof Float64Array ? "DATA_TYPE_FLOAT64"
    : data instanceof Int8Array ? "DATA_TYPE_INT8"
    : data instanceof Int16Array ? "DATA_TYPE_INT16"
    : "DATA_TYPE_INT32";
  return { data_type: name, rows, columns, data: littleEndian(Buffer.from(data.buffer, data.byteOffset, data.byteLength), SIZES[name]) };
}

/** A message as a matrix. Throws RangeError where its bytes are not as many as it says. */
export function fromTensor(tensor: Tensor__Output | null): Matrix {
  const size = tensor ? SIZES[tensor.data_type as keyof typeof SIZES] : undefined;
  if (!tensor || size === undefined || tensor.data.length !== tensor.rows * tensor.columns * size) {
    throw new RangeError(`a tensor of ${tensor?.data_type} with ${tensor?.data.length} bytes`);
  }
  const bytes = littleEndian(tensor.data, size);
  // Elements lie at multiples of their size only in a buffer of their own.
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  const Cells = CELLS[tensor.data_type as keyof typeof SIZES];
  return { data: new Cells(buffer), rows: tensor.rows, columns: tensor.columns };
}

/** Matrices of one number of columns, one below the other. */
export function concatenate<Data extends Float32Array | Int32Array>(parts: Matrix<Data>[], empty: Data): Matrix<Data> {
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const columns = parts[0]?.columns ?? 0;
  const data = new (empty.constructor as new (size: number) => Data)(rows * columns);
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  return { data, rows, columns };
}

function littleEndian(bytes: Buffer, size: number): Buffer {
  if (endianness() === "LE" || size === 1) {
    return bytes;
  }
  const copy = Buffer.from(bytes);
  return size === 2 ? copy.swap16() : size === 4 ? copy.swap32() : copy.swap64();
}
