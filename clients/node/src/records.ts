// Records of projects with a label space, and the tables of labels that models make of them.

import { randomUUID } from "node:crypto";
import { modelName, parent } from "./calls.js";
import { Backoff, messages } from "./connection.js";
import { canGoOn, WeaklabelError } from "./errors.js";
import type { KindOptions } from "./generated/weaklabel/v1/KindOptions.js";
import type { InspectModelResponse__Output } from "./generated/weaklabel/v1/InspectModelResponse.js";
import type { PredictRecordsResponse__Output } from "./generated/weaklabel/v1/PredictRecordsResponse.js";
import type { PredictRecordsStreamResponse__Output } from "./generated/weaklabel/v1/PredictRecordsStreamResponse.js";
import type { ReadLabelTableResponse__Output } from "./generated/weaklabel/v1/ReadLabelTableResponse.js";
import type { ReadRecordsResponse__Output } from "./generated/weaklabel/v1/ReadRecordsResponse.js";
import type { RecordSet__Output } from "./generated/weaklabel/v1/RecordSet.js";
import type { ScoreRecordsResponse__Output } from "./generated/weaklabel/v1/ScoreRecordsResponse.js";
import type { UploadRecordsResponse__Output } from "./generated/weaklabel/v1/UploadRecordsResponse.js";
import { ModelCalls } from "./models.js";
import type { FitOperation } from "./operations.js";
import { conversation } from "./streams.js";
import { concatenateTables, fromColumnTable, rowBytesOf, rowsOfTable, toColumnTable, type Table } from "./tables.js";
import { digest, upload, type Upload, type UploadProgress } from "./uploads.js";

/** What a fit to records is told. */
export interface RecordFitOptions {
  seed?: number;
  maxIterations?: number;
  /** Name of a record set of gold, as `uploadRecords` returns it. */
  gold?: string;
  /** Settings by label space: see the contract. */
  kind?: KindOptions;
}

/** What the library tells of a model. */
export interface ModelInspection {
  /** "projects/ID/models/ID". */
  model: string;
  /** What is doubtful; empty where nothing is. */
  findings: { kind: string; message: string }[];
  /** By their names in the library's diagnostics. */
  figures: Record<string, number>;
  /** What was learned, by name: "sources" of all; more by label space, see the contract. */
  tables: Record<string, Table>;
  /** Names of tables that are too large to be told. */
  leftOut: string[];
}

/** The methods of the client about records. */
export class RecordCalls extends ModelCalls {
  /**
   * Uploads votes or gold of a project whose labels are numbers, tags, preferences or sequences, a row a vote; returns
   * the name of the record set. What is acknowledged is on the server's disk; a lost connection is taken up, and the
   * same content again adds nothing. The columns of each label space are in weaklabel/v1/records.proto.
   */
  async uploadRecords(
    project: string,
    records: Table,
    { role = "votes", onProgress }: { role?: "votes" | "gold"; onProgress?: (p: UploadProgress) => void } = {},
  ): Promise<string> {
    const rows = rowsOfTable(records);
    const plain = Object.entries(records).map(([name, values]) => [name, [...values]]);
    const what: Upload = {
      rows,
      rowBytes: rowBytesOf(records),
      open: {
        parent: parent(project),
        record_set_id: randomUUID(),
        role: role === "gold" ? "RECORD_ROLE_GOLD" : "RECORD_ROLE_VOTES",
        content_digest: digest(role, JSON.stringify(plain)),
      },
      chunk: (first, end) => ({ row_offset: first, table: toColumnTable(records, first, end) }),
    };
    const start = () => this.connection.services.records.UploadRecords(this.connection.metadata()) as never;
    return (await upload<UploadRecordsResponse__Output>(this.connection, start, what, onProgress)).name;
  }

  /** The record sets of a project, newest first. */
  async *listRecordSets(project: string): AsyncGenerator<RecordSet__Output> {
    yield* this.pages<RecordSet__Output>("records", "ListRecordSets", { parent: parent(project) }, "record_sets");
  }

  /** Deletes a record set, by its name; models that were fitted with it stay. */
  async deleteRecordSet(name: string): Promise<void> {
    await this.call("records", "DeleteRecordSet", { name, request_id: randomUUID() });
  }

  /** The rows of a record set, by its name. */
  async readRecords(name: string): Promise<Table> {
    return this.tableOf<ReadRecordsResponse__Output>((row_offset) =>
      this.connection.services.records.ReadRecords({ name, row_offset }, this.connection.metadata()),
    );
  }

  /** Fits a model to record sets, whose rows add up: answers once the server has taken the work. */
  async fitRecords(project: string, votes: string[], options: RecordFitOptions = {}): Promise<FitOperation> {
    const request = {
      parent: parent(project),
      options: { seed: options.seed ?? 0, max_iterations: options.maxIterations ?? 0 },
      request_id: randomUUID(),
      records: { votes, gold: options.gold ?? "", options: options.kind ?? null },
    };
    const { operation } = await this.call<{ operation: { name: string } }>("models", "FitModel", request);
    return this.operation(operation.name);
  }

  /** A table of the labels of a model, of what it was fitted on; its first table where none is named. */
  async readLabels(project: string, table = "", model = "latest"): Promise<Table> {
    let name = modelName(project, model);
    return this.tableOf<ReadLabelTableResponse__Output>(
      (row_offset) =>
        this.connection.services.records.ReadLabelTable({ model: name, table, row_offset }, this.connection.metadata()),
      (message) => {
        name = message.model || name; // "latest" may be another one after a reconnection
      },
    );
  }

  /** Labels of new records by a model, tables by name, at most 65,536 rows; nothing is stored. */
  async predictRecords(project: string, records: Table, model = "latest"): Promise<Record<string, Table>> {
    const request = { model: modelName(project, model), records: toColumnTable(records, 0, rowsOfTable(records)) };
    const answer = await this.call<PredictRecordsResponse__Output>("records", "PredictRecords", request);
    return Object.fromEntries(answer.tables.map((one) => [one.name, fromColumnTable(one.table)]));
  }

  /**
   * Labels of records without end: for each piece what `predictRecords` gives of it, in order. The records of an item
   * belong into one piece.
   */
  async *predictRecordsStream(
    project: string,
    pieces: Iterable<Table> | AsyncIterable<Table>,
    model = "latest",
  ): AsyncGenerator<Record<string, Table>> {
    const stream = this.connection.services.records.PredictRecordsStream(this.connection.metadata());
    let parts: Record<string, Table[]> = {};
    for await (const message of conversation<object, PredictRecordsStreamResponse__Output>(stream, requests())) {
      for (const one of message.tables) {
        (parts[one.name] ??= []).push(fromColumnTable(one.table));
      }
      if (message.ends_answer) {
        yield Object.fromEntries(Object.entries(parts).map(([name, tables]) => [name, concatenateTables(tables)]));
        parts = {};
      }
    }

    async function* requests() {
      for await (const piece of pieces) {
        yield { model: modelName(project, model), records: toColumnTable(piece, 0, rowsOfTable(piece)) };
      }
    }
  }

  /** What the library tells of a model whose labels are not classes; the newest where none is named. */
  async inspectModel(project: string, model = "latest"): Promise<ModelInspection> {
    const request = { model: modelName(project, model) };
    const answer = await this.call<InspectModelResponse__Output>("records", "InspectModel", request);
    return {
      model: answer.model,
      findings: answer.findings,
      figures: Object.fromEntries(answer.figures.map((one) => [one.name, one.value])),
      tables: Object.fromEntries(answer.tables.map((one) => [one.name, fromColumnTable(one.table)])),
      leftOut: answer.left_out,
    };
  }

  /**
   * How good the labels of a model are, by the metrics of the library's score: on votes and gold by the names of their
   * record sets, of preferences on gold alone. All usual metrics where none are named.
   */
  async scoreRecords(
    project: string,
    votes: string[],
    gold: string,
    { metrics = [], model = "latest" }: { metrics?: string[]; model?: string } = {},
  ): Promise<Record<string, number>> {
    const request = { model: modelName(project, model), records: { votes, gold }, metrics };
    const answer = await this.call<ScoreRecordsResponse__Output>("records", "ScoreRecords", request);
    return Object.fromEntries(answer.scores.map((one) => [one.name, one.value]));
  }

  /** All rows of a stream of tables. A lost connection is taken up at the row where it broke off. */
  private async tableOf<Message extends ReadRecordsResponse__Output | ReadLabelTableResponse__Output>(
    start: (row: number) => AsyncIterable<unknown>,
    note: (message: Message) => void = () => {},
  ): Promise<Table> {
    const backoff = new Backoff(this.connection.reconnectTimeout);
    const parts: Table[] = [];
    let row = 0;
    for (;;) {
      try {
        for await (const message of messages<Message>(start(row))) {
          backoff.progressed();
          note(message);
          row += message.table?.rows ?? 0;
          parts.push(fromColumnTable(message.table));
        }
        return concatenateTables(parts);
      } catch (error) {
        if (!(error instanceof WeaklabelError) || !canGoOn(error)) {
          throw error;
        }
        await backoff.wait(error);
      }
    }
  }
}
