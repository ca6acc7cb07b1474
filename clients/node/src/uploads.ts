// Uploads: chunk by chunk, each acknowledged when it is on the server's disk; taken up where a connection broke off.

import { createHash } from "node:crypto";
import type { ClientDuplexStream } from "@grpc/grpc-js";
import { Backoff, messages, type Connection } from "./connection.js";
import { canGoOn, WeaklabelError } from "./errors.js";

const CHUNK_ROWS = 65_536;
const CHUNK_BYTES = 3_500_000; // a message has at most 4 MiB by default

/** How far an upload has come: rows that are on the server's disk. */
export interface UploadProgress {
  committedRows: number;
  totalRows: number;
}

/** What is uploaded: how it opens, and its chunks from any row on. */
export interface Upload {
  rows: number;
  /** Bytes of a row, at most. */
  rowBytes: number;
  open: object;
  chunk(first: number, end: number): object;
}

interface Answer {
  committed_rows: number;
  finished: boolean;
}

/** A digest of parts, by which the server knows the same content again. */
export function digest(...parts: (string | Uint8Array)[]): Buffer {
  const hash = createHash("sha256").update("node");
  for (const part of parts) {
    hash.update(`${part.length}:`).update(part);
  }
  return hash.digest();
}

/** Bytes that a text of a message takes, at most. */
export function textBytes(texts: readonly (string | null)[]): number {
  return texts.reduce((most, text) => Math.max(most, Buffer.byteLength(text ?? "") + 8), 8);
}

/** Bytes of an array of numbers. */
export function bytesOf(data: Int8Array | Int16Array | Int32Array | Float32Array | Float64Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/**
 * Uploads, and goes on over lost connections. `start` opens a stream; the last answer of the server is returned.
 */
export async function upload<Last extends Answer>(
  connection: Connection,
  start: () => ClientDuplexStream<never, never>,
  what: Upload,
  progress: ((progress: UploadProgress) => void) | undefined,
): Promise<Last> {
  const backoff = new Backoff(connection.reconnectTimeout);
  for (;;) {
    const stream = start();
    try {
      return await converse<Last>(stream, what, (committedRows) => {
        backoff.progressed();
        progress?.({ committedRows, totalRows: what.rows });
      });
    } catch (error) {
      stream.cancel();
      if (!(error instanceof WeaklabelError) || !canGoOn(error)) {
        throw error;
      }
      await backoff.wait(error);
    }
  }
}

async function converse<Last extends Answer>(
  stream: ClientDuplexStream<never, never>,
  what: Upload,
  committed: (rows: number) => void,
): Promise<Last> {
  const answers = messages<Last>(stream);
  const ask = async (message: object): Promise<Last> => {
    stream.write(message as never);
    const { value, done } = await answers.next();
    if (done) {
      throw new WeaklabelError("the server ended the upload before it was finished", "UNAVAILABLE");
    }
    committed(value.committed_rows);
    return value;
  };
  const step = Math.max(1, Math.min(CHUNK_ROWS, Math.floor(CHUNK_BYTES / Math.max(1, what.rowBytes))));
  let state = await ask({ open: what.open });
  while (!state.finished && state.committed_rows < what.rows) {
    const first = state.committed_rows;
    state = await ask({ chunk: what.chunk(first, Math.min(first + step, what.rows)) });
  }
  if (!state.finished) {
    state = await ask({ finish: { total_rows: what.rows } });
  }
  stream.end();
  // Read to the end, so that the call is over before the next one begins.
  for await (const extra of answers) {
    void extra;
  }
  return state;
}
