// Models as files.

import { createHash, randomUUID } from "node:crypto";
import { Calls, modelName, parent } from "./calls.js";
import { Backoff, messages } from "./connection.js";
import { canGoOn, fromService, WeaklabelError } from "./errors.js";
import type { DownloadModelResponse__Output } from "./generated/weaklabel/v1/DownloadModelResponse.js";
import type { Model__Output } from "./generated/weaklabel/v1/Model.js";
import type { UploadModelResponse__Output } from "./generated/weaklabel/v1/UploadModelResponse.js";

const PIECE_BYTES = 1024 * 1024;

/** The methods of the client about files of models. */
export class ModelCalls extends Calls {
  /** The file of a model, which its `from_bytes` in weaklabel reads; the newest where none is named. */
  async downloadModel(project: string, model = "latest"): Promise<Buffer> {
    return this.again(async (progressed) => {
      const request = { name: modelName(project, model) };
      const stream = this.connection.services.models.DownloadModel(request, this.connection.metadata());
      const parts: Buffer[] = [];
      for await (const message of messages<DownloadModelResponse__Output>(stream)) {
        progressed();
        parts.push(message.data as Buffer);
      }
      return Buffer.concat(parts);
    });
  }

  /**
   * Takes a model that was fitted elsewhere into a project of its label space, by the bytes of its file. With a version
   * of the votes, 0 for the newest, these are labeled; records have none.
   */
  async uploadModel(project: string, data: Uint8Array, votesVersion?: number): Promise<Model__Output> {
    const open = {
      parent: parent(project),
      request_id: randomUUID(), // so that a repetition is the same model
      content_digest: createHash("sha256").update(data).digest(),
      ...(votesVersion === undefined ? {} : { votes_version: votesVersion }),
    };
    return this.again(
      () =>
        new Promise<Model__Output>((resolve, reject) => {
          const { models } = this.connection.services;
          const stream = models.UploadModel(this.connection.metadata(), (error, answer) =>
            error ? reject(fromService(error)) : resolve((answer as UploadModelResponse__Output).model!),
          );
          stream.write({ open });
          for (let at = 0; at < data.length; at += PIECE_BYTES) {
            stream.write({ data: Buffer.from(data.subarray(at, at + PIECE_BYTES)) });
          }
          stream.end();
        }),
    );
  }

  /** What a call gives, once more where its connection is lost. */
  private async again<Result>(call: (progressed: () => void) => Promise<Result>): Promise<Result> {
    const backoff = new Backoff(this.connection.reconnectTimeout);
    for (;;) {
      try {
        return await call(() => backoff.progressed());
      } catch (error) {
        if (!(error instanceof WeaklabelError) || !canGoOn(error)) {
          throw error;
        }
        await backoff.wait(error);
      }
    }
  }
}
