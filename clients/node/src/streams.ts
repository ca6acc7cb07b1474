// Streams of predictions: requests go out while answers come in.

import type { ClientDuplexStream } from "@grpc/grpc-js";
import { messages } from "./connection.js";

/**
 * The answers to requests without end. A server that falls behind holds the requests back; an error of the requests is
 * thrown after the answers before it.
 */
export async function* conversation<Request, Response>(
  stream: ClientDuplexStream<Request, unknown>,
  requests: AsyncIterable<Request>,
): AsyncGenerator<Response> {
  const fed = feed(stream, requests);
  fed.catch(() => stream.cancel()); // the error is thrown below
  try {
    yield* messages<Response>(stream);
    await fed;
  } catch (error) {
    await fed; // where the caller's requests ended by an error, that is it
    throw error;
  } finally {
    stream.cancel();
  }
}

async function feed<Request>(
  stream: ClientDuplexStream<Request, unknown>,
  requests: AsyncIterable<Request>,
): Promise<void> {
  for await (const request of requests) {
    if (!stream.write(request)) {
      await new Promise<void>((resolve) => {
        stream.once("drain", resolve);
        stream.once("close", resolve);
      });
    }
    if (stream.destroyed) {
      return;
    }
  }
  stream.end();
}
