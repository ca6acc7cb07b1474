// The contract, loaded from the .proto files of the package, and the types that are generated from them.

import { fileURLToPath } from "node:url";
import * as grpc from "@grpc/grpc-js";
import { loadSync, type MessageTypeDefinition } from "@grpc/proto-loader";
import type { BadRequest__Output } from "./generated/weaklabel/v1/BadRequest.js";
import type { ErrorInfo__Output } from "./generated/weaklabel/v1/ErrorInfo.js";
import type { LabelServiceClient } from "./generated/weaklabel/v1/LabelService.js";
import type { ModelServiceClient } from "./generated/weaklabel/v1/ModelService.js";
import type { OperationServiceClient } from "./generated/weaklabel/v1/OperationService.js";
import type { ProjectServiceClient } from "./generated/weaklabel/v1/ProjectService.js";
import type { RecordServiceClient } from "./generated/weaklabel/v1/RecordService.js";
import type { RetryInfo__Output } from "./generated/weaklabel/v1/RetryInfo.js";
import type { SideDataServiceClient } from "./generated/weaklabel/v1/SideDataService.js";
import type { VoteServiceClient } from "./generated/weaklabel/v1/VoteService.js";

/** A stub of each service of the contract, for calls that the client has no method for. */
export interface Services {
  projects: ProjectServiceClient;
  votes: VoteServiceClient;
  sideData: SideDataServiceClient;
  records: RecordServiceClient;
  models: ModelServiceClient;
  operations: OperationServiceClient;
  labels: LabelServiceClient;
}

const NAMES: Record<keyof Services, string> = {
  projects: "ProjectService",
  votes: "VoteService",
  sideData: "SideDataService",
  records: "RecordService",
  models: "ModelService",
  operations: "OperationService",
  labels: "LabelService",
};
const FILES = ["projects", "votes", "side_data", "records", "models", "operations", "labels", "status"];

// As the options of "npm run types", so that messages are what their types say.
const definition = loadSync(
  FILES.map((name) => `weaklabel/v1/${name}.proto`),
  {
    includeDirs: [fileURLToPath(new URL("../protos", import.meta.url))],
    keepCase: true,
    longs: Number,
    enums: String,
    defaults: true,
    oneofs: true,
  },
);
const loaded = grpc.loadPackageDefinition(definition) as unknown as {
  weaklabel: { v1: Record<string, grpc.ServiceClientConstructor> };
};

/** Makes a stub of each service, on one channel. */
export function makeServices(
  target: string,
  credentials: grpc.ChannelCredentials,
  options: grpc.ClientOptions,
): Services {
  const channel = new grpc.Channel(target, credentials, options);
  const stubs = Object.entries(NAMES).map(([name, service]) => {
    const Stub = loaded.weaklabel.v1[service]!;
    return [name, new Stub(target, credentials, { channelOverride: channel })];
  });
  return Object.fromEntries(stubs) as Services;
}

/** The unary methods of all services, as a service config names them. */
export function unaryMethods(): { service: string; method: string }[] {
  return Object.values(NAMES).flatMap((name) =>
    Object.values(loaded.weaklabel.v1[name]!.service)
      .filter((method) => !method.requestStream && !method.responseStream)
      .map((method) => ({ service: `weaklabel.v1.${name}`, method: method.path.split("/").at(-1)! })),
  );
}

function reader<Message>(name: string): (bytes: Buffer) => Message {
  return (definition[`weaklabel.v1.${name}`] as MessageTypeDefinition<object, object>).deserialize as never;
}

/** A status as the trailer grpc-status-details-bin carries it: bytes of google.rpc.Status. */
export const readStatus = reader<{ details: { type_url: string; value: Buffer }[] }>("Status");
/** Details of a status, by the last part of their type URLs. */
export const readDetail = {
  ErrorInfo: reader<ErrorInfo__Output>("ErrorInfo"),
  BadRequest: reader<BadRequest__Output>("BadRequest"),
  RetryInfo: reader<RetryInfo__Output>("RetryInfo"),
};
