// Runs what test_node.py asks for, with the built package, and prints what came of it as JSON.
//
//   node node_driver.mjs PACKAGE SCENARIO ADDRESS ARGUMENTS-AS-JSON

import { pathToFileURL } from "node:url";

const [folder, scenario, address, text] = process.argv.slice(2);
const { Client, comparisonsFromRankings, WeaklabelError } = await import(pathToFileURL(`${folder}/dist/index.js`).href);
const given = JSON.parse(text);
const plain = (labels) => ({
  model: labels.model,
  items: labels.items,
  columns: labels.probabilities.columns,
  probabilities: [...labels.probabilities.data],
  labels: [...labels.labels],
});

const plainTable = (table) => Object.fromEntries(Object.entries(table).map(([name, values]) => [name, [...values]]));

const scenarios = {
  async mainPath(client) {
    const { project, classes, sources, items, votes } = given;
    const created = await client.createProject(project, classes);
    const seen = [];
    const version = await client.uploadVotes(project, votes, { sources, items, onProgress: (p) => seen.push(p.committedRows) });
    const again = await client.uploadVotes(project, votes, { sources, items });
    const gold = await client.uploadGold(project, new Map(given.gold));
    const stages = new Set();
    const operation = await client.fit(project, { gold, follow: true });
    const followed = [(await client.getProject(project)).followed];
    await client.stopFollowing(project);
    followed.push((await client.getProject(project)).followed);
    const model = await operation.result((progress) => stages.add(progress.stage));
    const names = [];
    for await (const one of client.listModels(project)) names.push(one.name);
    const parts = [];
    for await (const part of client.predictStream(project, [votes.slice(0, 7), votes.slice(7, 20)])) parts.push(plain(part));
    return {
      name: created.name, version, again, seen, followed, model, names, stages: [...stages], parts,
      soft: plain(await client.softLabels(project)),
      predicted: plain(await client.predict(project, { votes: votes.slice(0, 5) })),
    };
  },

  // Of any label space: records, or votes for classes; back come all tables, and those of new records.
  async labelSpace(client) {
    const { project, space, classes, rankings, judges, gold, options, fresh, matrix, sources, items } = given;
    const votes = rankings ? comparisonsFromRankings(rankings, judges) : given.votes;
    const created = await client.createProject(project, classes ?? [], space);
    let operation, rows, known, setName;
    if (matrix) {
      await client.uploadVotes(project, matrix, { sources, items });
      operation = await client.fit(project, { kind: options });
    } else {
      const seen = [];
      const name = await client.uploadRecords(project, votes, { onProgress: (p) => seen.push(p.committedRows) });
      const again = await client.uploadRecords(project, votes);
      if (again !== name) throw new Error(`${again} is not ${name}`);
      setName = name;
      known = gold && (await client.uploadRecords(project, gold, { role: "gold" }));
      operation = await client.fitRecords(project, [name], { gold: known, kind: options });
      rows = plainTable(await client.readRecords(name));
    }
    const name = await operation.result();
    const model = await client.getModel(project);
    const tables = {};
    for (const one of model.tables) tables[one.name] = plainTable(await client.readLabels(project, one.name));
    const predicted = {};
    for (const [key, table] of Object.entries(await client.predictRecords(project, fresh))) predicted[key] = plainTable(table);
    const streamed = [];
    for await (const part of client.predictRecordsStream(project, [fresh, fresh])) {
      streamed.push(Object.fromEntries(Object.entries(part).map(([key, table]) => [key, plainTable(table)])));
    }
    let inspected;
    if (!space.tree) {
      const told = await client.inspectModel(project);
      const told_tables = Object.entries(told.tables).map(([key, table]) => [key, plainTable(table)]);
      inspected = { ...told, tables: Object.fromEntries(told_tables) };
    }
    const file = await client.downloadModel(project);
    const uploaded = await client.uploadModel(project, file);
    const of_uploaded = plainTable(Object.values(await client.predictRecords(project, fresh, uploaded.name))[0]);
    const same = (await client.downloadModel(project, uploaded.name)).equals(file);
    const scores = known && (await client.scoreRecords(project, [setName], known, { metrics: ["mae"] }));
    const sets = [];
    for await (const one of client.listRecordSets(project)) sets.push(one.row_count);
    return {
      name, space: created.label_space, warnings: model.warnings, tables, predicted, rows, sets, streamed, inspected, scores,
      uploaded: { uploaded: uploaded.uploaded, same, labels: of_uploaded },
    };
  },

  // Gold that names sets of classes, by position.
  async goldSets(client) {
    const { project, classes, sources, votes, gold } = given;
    await client.createProject(project, classes);
    await client.uploadVotes(project, votes, { sources });
    const name = await client.uploadGold(project, gold);
    if ((await client.uploadGold(project, gold)) !== name) throw new Error("the same content is another");
    const model = await (await client.fit(project, { gold: name })).result();
    const refused = [];
    for (const wrong of [{ oneOf: [0, 9] }, { not: [0, 1, 2, 3] }, { oneOf: [] }, { oneOf: [1, 1] }]) {
      await client.uploadGold(project, [-1, wrong]).catch((error) => refused.push(`${error.name}: ${error.message}`));
    }
    return { soft: plain(await client.softLabels(project, model)), refused };
  },

  // More than a message holds, by the width of rows and by the length of texts.
  async wide(client) {
    const { project } = given;
    const [rows, columns] = [40_000, 120];
    const sources = Array.from({ length: columns }, (_, at) => `source ${at}`);
    await client.createProject(project, ["a", "b"]);
    const items = Array.from({ length: rows }, (_, at) => `${at}`.padStart(100, "x"));
    const version = await client.uploadVotes(project, { data: new Int8Array(rows * columns), rows, columns }, { sources, items });
    await client.createProject(`${project}-numbers`, [], { numbers: {} });
    const item = Array.from({ length: 20_000 }, (_, at) => `${at}`.padStart(255, "x"));
    const table = { item, source: item.map(() => "s"), value: item.map((_, at) => at) };
    const read = await client.readRecords(await client.uploadRecords(`${project}-numbers`, table));
    return { version, rows: read.item.length, last: read.value.at(-1) };
  },

  // Prints each acknowledged row count while it goes, so that the server can be killed in between.
  async upload(client) {
    const { project, rows, columns } = given;
    const data = new Int8Array(rows * columns).map((_, at) => (at * 7919) % 3 - 1);
    const sources = Array.from({ length: columns }, (_, at) => `source ${at}`);
    const version = await client.uploadVotes(project, { data, rows, columns }, {
      sources, onProgress: ({ committedRows }) => console.log(JSON.stringify({ committedRows })),
    });
    return { version };
  },

  async errors(client) {
    const found = {};
    const calls = {
      missing: () => client.getProject("nobody-has-this"),
      invalid: () => client.createProject("Not An Id", ["a"]),
      votes: () => client.uploadVotes(given.project, [[0], [9]], { sources: ["s"] }),
      shape: () => client.uploadVotes(given.project, [[0], [0, 1]], { sources: ["s"] }),
      early: () => client.softLabels(given.project),
      stream: async () => { for await (const part of client.predictStream(given.project, [[[0]]])) void part; },
      large: () => client.createProject("large", ["a", "b".repeat(5 << 20)]),
      larger: () => client.createProject("large", ["a", "b".repeat(17 << 20)]),
      largest: () => client.createProject("large", ["a", "b".repeat(65 << 20)]),
    };
    for (const [name, call] of Object.entries(calls)) {
      try {
        await call();
      } catch (error) {
        const { message, code, reason, violations } = error;
        found[name] = { ours: error instanceof WeaklabelError, message, code, reason, violations };
      }
    }
    return found;
  },

  async cancel(client) {
    const operation = await client.fit(given.project);
    await operation.cancel();
    try {
      return { model: await operation.result() };
    } catch (error) {
      return { code: error.code };
    }
  },

  async clearText() {
    try {
      return { client: String(new Client("labels.example:443", { token: "secret" })) };
    } catch (error) {
      return { message: error.message };
    }
  },
};

const client = new Client(address, given.options);
try {
  console.log(JSON.stringify(await scenarios[scenario](client)));
} finally {
  client.close();
}
