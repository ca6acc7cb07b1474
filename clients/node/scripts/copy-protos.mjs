// The contract, from the folder that all languages share, into the package.
import { cpSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL("../protos/weaklabel", import.meta.url));
rmSync(here, { recursive: true, force: true });
cpSync(fileURLToPath(new URL("../../../protos/weaklabel", import.meta.url)), here, { recursive: true });
