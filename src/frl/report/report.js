"use strict";
// Tables of results and verdicts: a click on a heading sorts, a choice above the table filters. Without it all rows show.
for (const table of document.querySelectorAll(".frl-sortable table")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0], rows = [...body.rows];
  const value = (row, i) => {
    const cell = row.cells[i];
    return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
  };
  const known = (v) => v !== "–";
  const compare = (a, b) => known(a) - known(b) ? known(b) - known(a)
    : typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));

  heads.forEach((head, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const order = (a, b) => known(value(a, i)) && known(value(b, i)) && down
        ? compare(value(b, i), value(a, i)) : compare(value(a, i), value(b, i));
      body.append(...[...rows].sort(order));
    });
  });

  const bar = document.createElement("div"), chosen = new Map();
  bar.className = "frl-filter";
  heads.forEach((head, i) => {
    const values = [...new Set(rows.map((row) => row.cells[i].textContent))];
    if (!head.hasAttribute("data-filter") || values.length < 2) return;
    const label = document.createElement("label"), select = document.createElement("select");
    select.append(new Option("all", ""), ...values.map((text) => new Option(text, text)));
    select.addEventListener("change", () => {
      chosen.set(i, select.value);
      for (const row of rows) row.hidden = [...chosen].some(([j, v]) => v !== "" && row.cells[j].textContent !== v);
    });
    label.append(head.textContent + " ", select);
    bar.append(label);
  });
  table.parentElement.before(bar);
}
