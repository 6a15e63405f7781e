/* Fold filters away where they would push what they filter off a phone's screen; scroll the box
   around what the page is about. */
(() => {
  "use strict";

  if (window.matchMedia("(max-width: 767px)").matches) {
    for (const folded of document.querySelectorAll("details[data-es-fold]")) folded.open = false;
  }
  for (const box of document.querySelectorAll("[data-es-around]")) {
    const inside = box.querySelector(box.dataset.esAround);
    if (inside) {
      const above = inside.getBoundingClientRect().top - box.getBoundingClientRect().top;
      box.scrollTop += above - (box.clientHeight - inside.offsetHeight) / 2;
    }
  }
})();
