// A client of the weaklabel service from the .proto files alone, without generated code.
//
//   npm install
//   node client.js 127.0.0.1:50051 spam votes.json > labels.json
//
// votes.json: {"classes": ["ham", "spam"], "sources": ["has_link", ...], "items": ["mail 1", ...], "votes": [[1, -1, ...], ...]}

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";

const PROTOS = fileURLToPath(new URL("../../protos", import.meta.url));
const CHUNK_ROWS = 65_536;
const CALL_SECONDS = 30;

const definition = protoLoader.loadSync(
  ["labels", "models", "operations", "projects", "votes"].map((name) => `weaklabel/v1/${name}.proto`),
  { includeDirs: [PROTOS], keepCase: true, longs: Number, enums: String, defaults: true, oneofs: true },
);
const { weaklabel } = grpc.loadPackageDefinition(definition);

/** Calls a unary method with a deadline; rejects with the error of gRPC. */
function call(client, method, request) {
  const deadline = Date.now() + CALL_SECONDS * 1000;
  return new Promise((resolve, reject) => {
    client[method](request, { deadline }, (error, response) => (error ? reject(error) : resolve(response)));
  });
}

/** Encodes rows of small integers as a tensor of INT8. */
function toTensor(rows) {
  const columns = rows[0].length;
  return { data_type: "DATA_TYPE_INT8", rows: rows.length, columns, data: Buffer.from(Int8Array.from(rows.flat()).buffer) };
}

/** Decodes a tensor of 4-byte numbers into rows. */
function fromTensor(tensor) {
  const read = { DATA_TYPE_FLOAT32: "readFloatLE", DATA_TYPE_INT32: "readInt32LE" }[tensor.data_type];
  if (read === undefined || tensor.data.length !== tensor.rows * tensor.columns * 4) {
    throw new Error(`a tensor of ${tensor.data_type} with ${tensor.data.length} bytes`);
  }
  const at = (row, column) => tensor.data[read]((row * tensor.columns + column) * 4);
  return Array.from({ length: tensor.rows }, (_, row) => Array.from({ length: tensor.columns }, (_, column) => at(row, column)));
}

/** Uploads votes in chunks, each once the one before it is on the server's disk. */
async function upload(client, parent, sources, items, votes) {
  const stream = client.UploadVotes();
  const answers = stream[Symbol.asyncIterator]();
  const send = async (message) => {
    stream.write(message);
    return (await answers.next()).value;
  };
  let state = await send({ open: { parent, upload_id: randomUUID(), sources } });
  while (state.committed_rows < votes.length) {
    const start = state.committed_rows;
    const rows = votes.slice(start, start + CHUNK_ROWS);
    const item_ids = items.slice(start, start + CHUNK_ROWS);
    state = await send({ chunk: { row_offset: start, rows: rows.length, item_ids, dense: { votes: toTensor(rows) } } });
  }
  state = await send({ finish: { total_rows: votes.length } });
  stream.end();
  return state.votes_version;
}

/** Fits a model and follows the operation until it is done; returns the model's name. */
async function fit(models, operations, parent) {
  let { operation } = await call(models, "FitModel", { parent, request_id: randomUUID() });
  for await (const update of operations.WatchOperation({ name: operation.name })) {
    operation = update.operation;
  }
  if (operation.error) {
    throw new Error(operation.error.message);
  }
  return operation.model;
}

async function main(address, project, file) {
  const { classes, sources, items, votes } = JSON.parse(readFileSync(file, "utf8"));
  const connect = (service) => new weaklabel.v1[service](address, grpc.credentials.createInsecure());
  const parent = `projects/${project}`;
  await call(connect("ProjectService"), "CreateProject", { project_id: project, classes, request_id: randomUUID() });
  const votes_version = await upload(connect("VoteService"), parent, sources, items, votes);
  const model = await fit(connect("ModelService"), connect("OperationService"), parent);
  const answer = { votes_version, model, items: [], probabilities: [], labels: [] };
  for await (const chunk of connect("LabelService").ReadSoftLabels({ model })) {
    answer.items = answer.items.concat(chunk.item_ids);
    answer.probabilities = answer.probabilities.concat(fromTensor(chunk.probabilities));
    answer.labels = answer.labels.concat(fromTensor(chunk.labels).flat());
  }
  console.log(JSON.stringify(answer));
}

main(...process.argv.slice(2)).catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
