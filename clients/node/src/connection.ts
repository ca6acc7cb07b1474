// A channel with its credentials, and calls on it: deadlines, retries, errors.

import * as grpc from "@grpc/grpc-js";
import { makeServices, unaryMethods, type Services } from "./contract.js";
import { fromService, WeaklabelError } from "./errors.js";

/** How a channel is secured. */
export interface Tls {
  /** Certificates to trust, PEM; those of the system where not given. */
  ca?: Buffer;
  /** Certificate and key of the client, PEM, where the server asks for them. */
  certificate?: Buffer;
  key?: Buffer;
}

export interface ClientOptions {
  /** Sent with every call; WEAKLABEL_TOKEN of the environment where not given. */
  token?: string;
  /** true for the certificates that the system trusts. */
  tls?: boolean | Tls;
  /** Sends the token in clear text beyond this machine all the same. */
  insecure?: boolean;
  /** Seconds for a unary call, waits for a place included: 30. */
  timeout?: number;
  /** Seconds from a lost connection to the last try of an upload, a watch or a read: 60. */
  reconnectTimeout?: number;
}

const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
const LOOPBACK = /^(unix:|unix-abstract:|(dns:|ipv4:|ipv6:)?(\/\/\/?)?(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$)/;

type Callback<Response> = (error: grpc.ServiceError | null, response?: Response) => void;
type Method<Request, Response> = (
  request: Request,
  metadata: grpc.Metadata,
  options: grpc.CallOptions,
  callback: Callback<Response>,
) => grpc.ClientUnaryCall;

/** A channel to a server. */
export class Connection {
  readonly services: Services;
  readonly reconnectTimeout: number;
  private readonly timeout: number;
  private readonly token: string | undefined;

  constructor(target: string, options: ClientOptions) {
    this.timeout = options.timeout ?? 30;
    this.reconnectTimeout = options.reconnectTimeout ?? 60;
    this.token = options.token ?? process.env.WEAKLABEL_TOKEN;
    const tls = options.tls === true ? {} : options.tls;
    if (this.token && !tls && !options.insecure && !LOOPBACK.test(target)) {
      throw new TypeError(`a token is not sent to ${target} in clear text: pass tls: true, or insecure: true to do so`);
    }
    const credentials = tls
      ? grpc.credentials.createSsl(tls.ca ?? null, tls.key ?? null, tls.certificate ?? null)
      : grpc.credentials.createInsecure();
    this.services = makeServices(target, credentials, {
      "grpc.service_config": JSON.stringify(serviceConfig()),
      "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
      "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 5000,
      "grpc.keepalive_time_ms": 30_000,
      "grpc.keepalive_timeout_ms": 20_000,
    });
  }

  close(): void {
    this.services.projects.close();
  }

  /** What every call carries. */
  metadata(): grpc.Metadata {
    const metadata = new grpc.Metadata();
    if (this.token) {
      metadata.set("authorization", `Bearer ${this.token}`);
    }
    return metadata;
  }

  /**
   * Calls a unary method. Where the server has no place for now it is called again when the server says, within the
   * timeout; requests that change something carry an id, by which the server knows a repetition.
   */
  async call<Request, Response>(stub: object, method: string, request: Request): Promise<Response> {
    const end = Date.now() + this.timeout * 1000;
    for (let refusals = 0; ; refusals += 1) {
      try {
        return await this.once<Request, Response>(stub, method, request, end);
      } catch (error) {
        const wait = error instanceof WeaklabelError ? error.retrySeconds : undefined;
        if (wait === undefined) {
          throw error;
        }
        // Random, so that callers that were refused together do not come back together.
        const delay = 1000 * (wait + Math.random() * Math.max(wait, 0.1) * 2 ** Math.min(refusals, 4));
        if (Date.now() + delay >= end) {
          throw error;
        }
        await sleep(delay);
      }
    }
  }

  private once<Request, Response>(stub: object, method: string, request: Request, end: number): Promise<Response> {
    const bound = (stub as Record<string, Method<Request, Response>>)[method]!.bind(stub);
    return new Promise((resolve, reject) => {
      bound(request, this.metadata(), { deadline: end }, (error, response) =>
        error ? reject(fromService(error)) : resolve(response as Response),
      );
    });
  }
}

/** Messages of a stream, one after the other; its errors are those of the client. */
export async function* messages<Message>(stream: AsyncIterable<unknown>): AsyncGenerator<Message> {
  try {
    for await (const message of stream) {
      yield message as Message;
    }
  } catch (error) {
    throw error instanceof Error && "code" in error ? fromService(error as grpc.ServiceError) : error;
  }
}

/** Waits between tries of a stream, longer each time, until nothing has arrived for so many seconds. */
export class Backoff {
  private failures = 0;
  private first = 0;

  constructor(private readonly seconds: number) {}

  /** Something arrived: the next failure is the first again. */
  progressed(): void {
    this.failures = 0;
  }

  /** Waits before the next try; throws the error where there is none. */
  async wait(error: WeaklabelError): Promise<void> {
    const now = Date.now();
    this.first = this.failures === 0 ? now : this.first;
    const longest = Math.min(5000, 100 * 2 ** Math.min(this.failures, 16));
    this.failures += 1;
    const delay = longest * (0.5 + Math.random() / 2) + 1000 * (error.retrySeconds ?? 0);
    if (now + delay > this.first + 1000 * this.seconds) {
      throw error;
    }
    await sleep(delay);
  }
}

function serviceConfig(): object {
  return {
    loadBalancingConfig: [],
    methodConfig: [
      {
        name: unaryMethods(),
        retryPolicy: {
          maxAttempts: 5,
          initialBackoff: "0.25s",
          maxBackoff: "5s",
          backoffMultiplier: 2,
          retryableStatusCodes: ["UNAVAILABLE"],
        },
      },
    ],
    retryThrottling: { maxTokens: 20, tokenRatio: 0.5 },
  };
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
