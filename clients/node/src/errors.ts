// What a call ends with when it fails.

import { Metadata, status, type ServiceError } from "@grpc/grpc-js";
import { readDetail, readStatus } from "./contract.js";

/** One fault in one field of a request. */
export interface FieldViolation {
  field: string;
  description: string;
}

/** A call or an operation that failed: what was wrong, where, and what to do. */
export class WeaklabelError extends Error {
  override name = "WeaklabelError";
  /** Name of the gRPC code, such as "NOT_FOUND". */
  readonly code: string;
  /** A constant for programs, such as "PROJECT_NOT_FOUND"; empty where the server did not answer. */
  readonly reason: string;
  /** What the reason is about, such as the name of the resource. */
  readonly metadata: Record<string, string>;
  /** The fields of the request that were at fault. */
  readonly violations: FieldViolation[];
  /** Seconds after which the same call may well succeed; undefined where it would not. */
  readonly retrySeconds: number | undefined;

  constructor(
    message: string,
    code: string,
    reason = "",
    metadata: Record<string, string> = {},
    violations: FieldViolation[] = [],
    retrySeconds: number | undefined = undefined,
    cause?: unknown,
  ) {
    super(reason ? `${message} [${reason}]` : message, { cause });
    this.code = code;
    this.reason = reason;
    this.metadata = metadata;
    this.violations = violations;
    this.retrySeconds = retrySeconds;
  }
}

/** Whether a stream that ended by this error may be opened again, and go on. */
export function canGoOn(error: WeaklabelError): boolean {
  return error.code === "UNAVAILABLE" || error.code === "ABORTED" || error.retrySeconds !== undefined;
}

/** The error of a call, from what gRPC gives. */
export function fromService(error: ServiceError): WeaklabelError {
  const trailer = (error.metadata ?? new Metadata()).get("grpc-status-details-bin")[0];
  const message = trailer === undefined ? inWords(error) : error.details || error.message;
  return fromDetails(message, error.code, trailer as Buffer | undefined, error);
}

/** The error of an operation, from the status it ended with. */
export function fromStatus(
  found: { code?: number; message?: string; details?: unknown[] | null },
): WeaklabelError {
  const details = (found.details ?? []) as { type_url?: string; value?: Buffer }[];
  return build(found.message ?? "", found.code ?? status.UNKNOWN, details, undefined);
}

/** The message of an error that no server has given. */
function inWords(error: ServiceError): string {
  const said = error.details || error.message;
  // gRPC's own words: "Received message larger than max", "Attempted to send message with a size larger than".
  if (error.code !== status.RESOURCE_EXHAUSTED || !said.includes("larger than")) return said;
  return (
    "a message of this call is larger than gRPC takes: pass fewer rows or items at a time; whoever runs the server can " +
    `raise its WEAKLABEL_MAX_MESSAGE_BYTES (${said})`
  );
}

function fromDetails(message: string, code: number, trailer: Buffer | undefined, cause: unknown): WeaklabelError {
  let details: { type_url?: string; value?: Buffer }[] = [];
  try {
    details = trailer === undefined ? [] : readStatus(trailer).details;
  } catch {
    // A proxy between may have its own; the code and the message are enough.
  }
  return build(message, code, details, cause);
}

function build(
  message: string,
  code: number,
  details: { type_url?: string; value?: Buffer }[],
  cause: unknown,
): WeaklabelError {
  const bytes = (name: string) => details.find((one) => one.type_url?.endsWith(`.${name}`))?.value;
  const info = bytes("ErrorInfo");
  const bad = bytes("BadRequest");
  const retry = bytes("RetryInfo");
  const found = info && readDetail.ErrorInfo(info);
  const delay = retry && readDetail.RetryInfo(retry).retry_delay;
  return new WeaklabelError(
    message,
    status[code] ?? String(code),
    found?.reason,
    found?.metadata,
    bad ? readDetail.BadRequest(bad).field_violations : [],
    delay ? Number(delay.seconds) + delay.nanos / 1e9 : undefined,
    cause,
  );
}
