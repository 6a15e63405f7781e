/* j and k move through the rows, Enter opens one, / goes to the filter. */
(() => {
  "use strict";

  let current = -1;

  const rows = () => [...document.querySelectorAll("[data-es-row]")];

  const isTyping = (element) =>
    element.closest("input, textarea, select, dialog[open], [contenteditable]") !== null;

  function move(by) {
    const all = rows();
    if (!all.length) return;
    current = Math.min(Math.max(current + by, 0), all.length - 1);
    all.forEach((row, index) => row.classList.toggle("es-current", index === current));
    const link = opener(all[current]);
    if (link) link.focus({ preventScroll: true });
    all[current].scrollIntoView({ block: "nearest" });
  }

  function opener(row) {
    return row.querySelector("[data-es-open]") || row.querySelector("th a, td a");
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "/") {
      const filter = document.querySelector("[data-es-filter]");
      if (!filter) return;
      event.preventDefault();
      const folded = filter.closest("details");
      if (folded) folded.open = true;
      filter.focus();
      if (filter.select) filter.select();
    }
    // Enter needs nothing here: move() has put the focus on the row's link.
  });
})();
