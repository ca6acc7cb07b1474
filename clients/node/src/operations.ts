// Work that outlasts a call.

import { Backoff, messages, type Connection } from "./connection.js";
import { canGoOn, fromStatus, WeaklabelError } from "./errors.js";
import type { FitProgress__Output } from "./generated/weaklabel/v1/FitProgress.js";
import type { Operation__Output } from "./generated/weaklabel/v1/Operation.js";

/** Progress of a fit. */
export interface FitProgress {
  /** "QUEUED", "READING", "FITTING", "LABELING" or "DONE". */
  stage: string;
  iteration: number;
  maxIterations: number;
  objective: number;
}

/** A fit on the server. It goes on when this client is gone: `client.operation(name)` finds it again. */
export class FitOperation {
  constructor(
    private readonly connection: Connection,
    /** "projects/ID/operations/ID". */
    readonly name: string,
  ) {}

  /**
   * Waits until the fit is over; returns the name of the model.
   * Rejects with the error of the fit, or CANCELLED where it was cancelled.
   */
  async result(onProgress?: (progress: FitProgress) => void): Promise<string> {
    const backoff = new Backoff(this.connection.reconnectTimeout);
    for (;;) {
      try {
        const found = await this.watch(backoff, onProgress);
        if (found.error) {
          throw fromStatus(found.error);
        }
        return found.model ?? "";
      } catch (error) {
        if (!(error instanceof WeaklabelError) || !canGoOn(error)) {
          throw error;
        }
        await backoff.wait(error);
      }
    }
  }

  /** Asks the fit to stop. */
  async cancel(): Promise<void> {
    await this.connection.call(this.connection.services.operations, "CancelOperation", { name: this.name });
  }

  private async watch(backoff: Backoff, onProgress?: (progress: FitProgress) => void): Promise<Operation__Output> {
    const { operations } = this.connection.services;
    const stream = operations.WatchOperation({ name: this.name }, this.connection.metadata());
    let last: Operation__Output | null = null;
    for await (const update of messages<{ operation: Operation__Output | null }>(stream)) {
      backoff.progressed();
      last = update.operation;
      if (last?.progress) {
        onProgress?.(progressOf(last.progress));
      }
    }
    if (!last?.done) {
      throw new WeaklabelError("the watch ended before the operation did", "UNAVAILABLE");
    }
    return last;
  }
}

function progressOf(progress: FitProgress__Output): FitProgress {
  return {
    stage: progress.stage.replace("FIT_STAGE_", ""),
    iteration: progress.iteration,
    maxIterations: progress.max_iterations,
    objective: progress.objective,
  };
}
