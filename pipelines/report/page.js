"use strict";
(() => {
  const table = document.getElementById("tree");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const byId = new Map(rows.map((row) => [row.dataset.id, row]));
  const search = document.getElementById("search");
  const finest = document.getElementById("finest");
  const texts = new Map(rows.map((row) => [row, row.cells[0].textContent.toLowerCase()]));
  const open = new Set();

  const parentOf = (row) => byId.get(row.dataset.parent);
  const order = () => document.querySelector("input[name=order]:checked").value;

  function openTo(depth) {
    open.clear();
    for (const row of rows) if (Number(row.dataset.depth) < depth) open.add(row);
  }

  function visibleInTree(words) {
    const shown = new Set();
    for (const row of rows) {
      if (words) {
        if (!texts.get(row).includes(words)) continue;
        for (let at = row; at; at = parentOf(at)) shown.add(at);
      } else {
        const parent = parentOf(row);
        if (!parent || (shown.has(parent) && open.has(parent))) shown.add(row);
      }
    }
    return shown;
  }

  function visibleInRanking(words) {
    return new Set(rows.filter((row) =>
      (!finest.checked || row.dataset.leaf === "1") && texts.get(row).includes(words)));
  }

  function scaleBars(shown) {
    for (const [kind, key] of [[".cells", "count"], [".density", "density"]]) {
      const most = Math.max(1e-12, ...Array.from(shown, (row) => Number(row.dataset[key])));
      for (const row of shown) {
        row.querySelector(kind).style.width = `${(100 * Number(row.dataset[key]) / most).toFixed(1)}%`;
      }
    }
  }

  function update() {
    const by = order();
    const words = search.value.trim().toLowerCase();
    const ranked = by !== "tree";
    const shown = ranked ? visibleInRanking(words) : visibleInTree(words);
    const sorted = ranked ? rows.slice().sort((a, b) => b.dataset[by] - a.dataset[by]) : rows;
    body.append(...sorted);
    for (const row of rows) {
      row.hidden = !shown.has(row);
      const button = row.querySelector("button.fold");
      if (button) button.setAttribute("aria-expanded", String(words !== "" || open.has(row)));
    }
    scaleBars(shown);
    table.classList.toggle("ranked", ranked);
    document.querySelector(".finest").style.display = ranked ? "" : "none";
    document.querySelector(".folding").style.display = ranked ? "none" : "";
    document.getElementById("shown").textContent = `${shown.size} of ${rows.length} regions`;
  }

  body.addEventListener("click", (event) => {
    const button = event.target.closest("button.fold");
    if (!button) return;
    const row = button.closest("tr");
    if (!open.delete(row)) open.add(row);
    update();
    button.focus();
  });
  document.querySelectorAll("input[name=order]").forEach((input) => input.addEventListener("change", update));
  finest.addEventListener("change", update);
  search.addEventListener("input", update);
  document.getElementById("unfold").addEventListener("click", () => { openTo(Infinity); update(); });
  document.getElementById("fold").addEventListener("click", () => { openTo(1); update(); });

  document.querySelector(".tools").hidden = false;
  openTo(Number(table.dataset.depth));
  update();
})();
