// The client: projects, uploads, fits, soft labels, predictions.

import { randomUUID } from "node:crypto";
import { modelName, parent } from "./calls.js";
import { Connection, Backoff, messages, type ClientOptions } from "./connection.js";
import type { Services } from "./contract.js";
import { canGoOn, WeaklabelError } from "./errors.js";
import type { KindOptions } from "./generated/weaklabel/v1/KindOptions.js";
import type { LabelSpace } from "./generated/weaklabel/v1/LabelSpace.js";
import type { Model__Output } from "./generated/weaklabel/v1/Model.js";
import type { PredictResponse__Output } from "./generated/weaklabel/v1/PredictResponse.js";
import type { Project__Output } from "./generated/weaklabel/v1/Project.js";
import type { ReadSoftLabelsResponse__Output } from "./generated/weaklabel/v1/ReadSoftLabelsResponse.js";
import type { UploadSideDataResponse__Output } from "./generated/weaklabel/v1/UploadSideDataResponse.js";
import type { UploadVotesResponse__Output } from "./generated/weaklabel/v1/UploadVotesResponse.js";
import { Gold, hasSets, type Known } from "./gold.js";
import type { FitOperation } from "./operations.js";
import { RecordCalls } from "./records.js";
import { conversation } from "./streams.js";
import { asMatrix, concatenate, fromTensor, rowsOf, toTensor, type Matrix, type Votes } from "./tensors.js";
import { bytesOf, digest, textBytes, upload, type Upload, type UploadProgress } from "./uploads.js";

/** Soft labels of some items. */
export interface SoftLabels {
  /** "projects/ID/models/ID". */
  model: string;
  /** Ids of the items; empty where the project names items by position. */
  items: string[];
  /** [items, classes]; rows sum to one. */
  probabilities: Matrix<Float32Array>;
  /** The most probable class of each item; -1 where classes are tied. */
  labels: Int32Array;
}

/** What is predicted. */
export interface Prediction {
  votes: Votes;
  /** Names of the columns; the model's own sources, in its order, where not given. */
  sources?: string[];
  /** Id or resource name of a model; the newest where not given. */
  model?: string;
  /** What is done with votes of sources that the model does not know: refused where not given. */
  unseen?: "ignore" | "average";
}

/** What a fit is told. */
export interface FitOptions {
  /** The version of the votes; the newest where not given. */
  votesVersion?: number;
  seed?: number;
  maxIterations?: number;
  /** Name of gold, as `uploadGold` returns it. */
  gold?: string;
  /** Of ordered classes and trees: see the contract. */
  kind?: KindOptions;
  /** Whether each later version of the votes is fitted with these settings, too, until `stopFollowing`. */
  follow?: boolean;
  /** Whether the skill of a source may change from upload to upload; `skill_jumps` of the model tells when it did. */
  overTime?: boolean;
}

const UNSEEN = { ignore: "UNSEEN_SOURCES_IGNORE", average: "UNSEEN_SOURCES_AVERAGE" } as const;

/** A client of the weaklabel service. Its methods reject with WeaklabelError. */
export class Client extends RecordCalls {
  /**
   * Connects when it is first called.
   * @param target "HOST:PORT" or "unix:PATH".
   */
  constructor(target: string, options: ClientOptions = {}) {
    super(new Connection(target, options));
  }

  /** Stubs of the services, for calls that have no method here: messages are those of the contract. */
  get services(): Services {
    return this.connection.services;
  }

  close(): void {
    this.connection.close();
  }

  // ------------------------------------------------------------- projects

  /** Creates a project of classes; of another label space with none of them, or with those that it says. */
  async createProject(project: string, classes: string[], labelSpace?: LabelSpace): Promise<Project__Output> {
    const request = { project_id: project, classes, label_space: labelSpace ?? null, request_id: randomUUID() };
    return (await this.call<{ project: Project__Output }>("projects", "CreateProject", request)).project;
  }

  async getProject(project: string): Promise<Project__Output> {
    return (await this.call<{ project: Project__Output }>("projects", "GetProject", { name: parent(project) })).project;
  }

  /** All projects that the token may see, by id. */
  async *listProjects(): AsyncGenerator<Project__Output> {
    yield* this.pages<Project__Output>("projects", "ListProjects", {}, "projects");
  }

  async deleteProject(project: string): Promise<void> {
    await this.call("projects", "DeleteProject", { name: parent(project), request_id: randomUUID() });
  }

  // -------------------------------------------------------------- uploads

  /**
   * Uploads votes; returns their version. What is acknowledged is on the server's disk; a lost connection is taken up,
   * and the same content again adds nothing.
   */
  async uploadVotes(
    project: string,
    votes: Votes,
    { sources, items, onProgress }: { sources: string[]; items?: string[]; onProgress?: (p: UploadProgress) => void },
  ): Promise<number> {
    const matrix = asMatrix(votes);
    if (sources.length !== matrix.columns || (items && items.length !== matrix.rows)) {
      throw new RangeError(
        `${matrix.rows} rows of ${matrix.columns} votes, ${items?.length ?? "no"} items, ${sources.length} sources`,
      );
    }
    const names = JSON.stringify([sources, items ?? []]);
    const what: Upload = {
      rows: matrix.rows,
      rowBytes: matrix.columns * matrix.data.BYTES_PER_ELEMENT + textBytes(items ?? []),
      open: {
        parent: parent(project),
        upload_id: randomUUID(),
        sources,
        content_digest: digest(names, bytesOf(matrix.data)),
      },
      chunk: (first, end) => ({
        row_offset: first,
        rows: end - first,
        item_ids: items?.slice(first, end) ?? [],
        dense: { votes: toTensor(rowsOf(matrix, first, end)) },
      }),
    };
    const start = () => this.services.votes.UploadVotes(this.connection.metadata()) as never;
    return (await upload<UploadVotesResponse__Output>(this.connection, start, what, onProgress)).votes_version;
  }

  /**
   * Uploads known classes of some items, by their ids, or of all by position with -1 where nothing is known; returns
   * the name to pass to `fit`. A set of classes that holds the true one is `{ oneOf: [0, 2] }`, or `{ not: [1] }`.
   */
  async uploadGold(project: string, gold: Map<string, Known> | readonly Known[]): Promise<string> {
    const items = gold instanceof Map ? [...gold.keys()] : [];
    const given = gold instanceof Map ? [...gold.values()] : gold;
    const known = new Gold(given, hasSets(given) ? (await this.getProject(project)).classes.length : 0);
    const what: Upload = {
      rows: known.rows,
      rowBytes: known.rowBytes + textBytes(items),
      open: {
        parent: parent(project),
        side_data_id: randomUUID(),
        kind: "SIDE_DATA_KIND_GOLD",
        content_digest: digest(JSON.stringify(items), ...known.content),
      },
      chunk: (first, end) => ({
        row_offset: first,
        rows: end - first,
        item_ids: items.slice(first, end),
        values: known.values(first, end),
      }),
    };
    const start = () => this.services.sideData.UploadSideData(this.connection.metadata()) as never;
    return (await upload<UploadSideDataResponse__Output>(this.connection, start, what, undefined)).name;
  }

  // ----------------------------------------------------------------- fits

  /** Fits a model: answers once the server has taken the work, which goes on by itself. */
  async fit(project: string, options: FitOptions = {}): Promise<FitOperation> {
    const request = {
      parent: parent(project),
      votes_version: options.votesVersion ?? 0,
      options: { seed: options.seed ?? 0, max_iterations: options.maxIterations ?? 0 },
      request_id: randomUUID(),
      side: options.gold ? { gold: options.gold } : null,
      records: options.kind ? { options: options.kind } : null,
      follow: options.follow ?? false,
      over_time: options.overTime ?? false,
    };
    const { operation } = await this.call<{ operation: { name: string } }>("models", "FitModel", request);
    return this.operation(operation.name);
  }

  /** Ends what `fit` with `follow` began; fits that wait or run go on. */
  async stopFollowing(project: string): Promise<void> {
    await this.call("models", "StopFollowing", { parent: parent(project), request_id: randomUUID() });
  }

  /** A model; the newest where none is named. */
  async getModel(project: string, model = "latest"): Promise<Model__Output> {
    const request = { name: modelName(project, model) };
    return (await this.call<{ model: Model__Output }>("models", "GetModel", request)).model;
  }

  /** The models of a project, newest first. */
  async *listModels(project: string): AsyncGenerator<Model__Output> {
    yield* this.pages<Model__Output>("models", "ListModels", { parent: parent(project) }, "models");
  }

  // --------------------------------------------------------------- labels

  /** The stored soft labels of all items that a model was fitted on. */
  async softLabels(project: string, model = "latest"): Promise<SoftLabels> {
    const parts: SoftLabels[] = [];
    for await (const part of this.softLabelChunks(project, model)) {
      parts.push(part);
    }
    return {
      model: parts[0]?.model ?? "",
      items: parts.flatMap((part) => part.items),
      probabilities: concatenate(parts.map((part) => part.probabilities), new Float32Array()),
      labels: Int32Array.from(parts.flatMap((part) => [...part.labels])),
    };
  }

  /** The same in chunks as the server sends them. A lost connection is taken up at the row where it broke off. */
  async *softLabelChunks(project: string, model = "latest"): AsyncGenerator<SoftLabels> {
    const backoff = new Backoff(this.connection.reconnectTimeout);
    let name = modelName(project, model);
    let row = 0;
    for (;;) {
      try {
        const stream = this.services.labels.ReadSoftLabels({ model: name, row_offset: row }, this.connection.metadata());
        for await (const message of messages<ReadSoftLabelsResponse__Output>(stream)) {
          backoff.progressed();
          name = message.model || name; // "latest" may be another one after a reconnection
          const part = { ...labelsOf(message), model: name, items: message.item_ids };
          row += part.labels.length;
          yield part;
        }
        return;
      } catch (error) {
        if (!(error instanceof WeaklabelError) || !canGoOn(error)) {
          throw error;
        }
        await backoff.wait(error);
      }
    }
  }

  /** Soft labels of new votes, at most 65,536 rows; nothing is stored. */
  async predict(project: string, prediction: Prediction): Promise<SoftLabels> {
    const request = predictionOf(project, prediction);
    const answer = await this.call<PredictResponse__Output>("labels", "Predict", request);
    return { ...labelsOf(answer), model: answer.model, items: [] };
  }

  /** Soft labels of votes without end: one answer for each matrix of votes, in order. */
  async *predictStream(
    project: string,
    votes: Iterable<Votes> | AsyncIterable<Votes>,
    options: Omit<Prediction, "votes"> = {},
  ): AsyncGenerator<SoftLabels> {
    const stream = this.services.labels.PredictStream(this.connection.metadata());
    let model = "";
    for await (const message of conversation<object, PredictResponse__Output>(stream, requests())) {
      model = message.model || model;
      yield { ...labelsOf(message), model, items: [] };
    }

    async function* requests() {
      for await (const part of votes) {
        yield predictionOf(project, { ...options, votes: part });
      }
    }
  }
}

function predictionOf(project: string, { votes, sources, model, unseen }: Prediction) {
  return {
    model: modelName(project, model ?? "latest"),
    sources: sources ?? [],
    votes: toTensor(asMatrix(votes)),
    unseen: unseen ? UNSEEN[unseen] : ("UNSEEN_SOURCES_UNSPECIFIED" as const),
  };
}

function labelsOf(message: Pick<PredictResponse__Output, "probabilities" | "labels">) {
  return {
    probabilities: fromTensor(message.probabilities) as Matrix<Float32Array>,
    labels: fromTensor(message.labels).data as Int32Array,
  };
}
