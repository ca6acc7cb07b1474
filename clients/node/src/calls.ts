// What all methods of the client share: calls, pages, names.

import type { Connection } from "./connection.js";
import type { Services } from "./contract.js";
import { FitOperation } from "./operations.js";

/** A connection, and the calls over it. */
export abstract class Calls {
  constructor(protected readonly connection: Connection) {}

  /** An operation by its name, "projects/ID/operations/ID". */
  operation(name: string): FitOperation {
    return new FitOperation(this.connection, name);
  }

  protected call<Response>(service: keyof Services, method: string, request: object): Promise<Response> {
    return this.connection.call<object, Response>(this.connection.services[service], method, request);
  }

  protected async *pages<Entry>(
    service: keyof Services,
    method: string,
    request: object,
    field: string,
  ): AsyncGenerator<Entry> {
    for (let page_token = ""; ; ) {
      type Page = Record<string, Entry[]> & { next_page_token: string };
      const page: Page = await this.call<Page>(service, method, { ...request, page_token });
      yield* page[field]!;
      page_token = page.next_page_token;
      if (!page_token) {
        return;
      }
    }
  }
}

export function parent(project: string): string {
  return project.startsWith("projects/") ? project : `projects/${project}`;
}

export function modelName(project: string, model: string): string {
  return model.startsWith("projects/") ? model : `${parent(project)}/models/${model}`;
}
