"use strict";
document.documentElement.classList.add("js");
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const titles = [...table.tHead.rows[0].cells];
  titles.forEach((title, at) => title.firstChild.addEventListener("click", () => {
    const numeric = title.firstChild.dataset.kind === "number";
    // Numbers begin with the largest, words with the first; a second press turns it round.
    const [first, second] = numeric ? ["descending", "ascending"] : ["ascending", "descending"];
    const order = title.getAttribute("aria-sort") === first ? second : first;
    const sign = order === "ascending" ? 1 : -1;
    const value = (row) => numeric ? Number(row.cells[at].dataset.v) : row.cells[at].textContent;
    const compare = numeric ? (a, b) => value(a) - value(b) : (a, b) => value(a).localeCompare(value(b));
    titles.forEach((one) => one.setAttribute("aria-sort", one === title ? order : "none"));
    body.append(...[...body.rows].sort((a, b) => sign * compare(a, b)));
  }));
}
for (const input of document.querySelectorAll("input[data-of]")) {
  const rows = [...document.getElementById(input.dataset.of).tBodies[0].rows];
  const status = document.getElementById(input.id.replace("filter", "status"));
  input.addEventListener("input", () => {
    const sought = input.value.trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      row.hidden = !row.textContent.toLowerCase().includes(sought);
      shown += row.hidden ? 0 : 1;
    }
    status.textContent = `${shown} of ${rows.length} sources`;
  });
}
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
