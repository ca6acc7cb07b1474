export { Client, type FitOptions, type Prediction, type SoftLabels } from "./client.js";
export type { ClientOptions, Tls } from "./connection.js";
export type { Services } from "./contract.js";
export { WeaklabelError, type FieldViolation } from "./errors.js";
export { FitOperation, type FitProgress } from "./operations.js";
export type { Matrix, Votes } from "./tensors.js";
export type { UploadProgress } from "./uploads.js";
export type { Model__Output as Model } from "./generated/weaklabel/v1/Model.js";
export type { Project__Output as Project } from "./generated/weaklabel/v1/Project.js";
