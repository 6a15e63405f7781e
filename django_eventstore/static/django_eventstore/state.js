/* The slider and the steps show another version without leaving the page. */
(() => {
  "use strict";

  const parts = ["es-versions", "es-state"];
  let asked = 0;

  async function show(address, focus) {
    const number = ++asked;
    document.getElementById("es-state").classList.add("es-busy");
    try {
      const response = await fetch(address);
      const text = await response.text();
      if (number !== asked) return;
      if (!response.ok) throw new Error(String(response.status));
      const page = new DOMParser().parseFromString(text, "text/html");
      for (const id of parts) {
        document.getElementById(id).replaceWith(document.importNode(page.getElementById(id), true));
      }
      window.history.replaceState(null, "", address);
      listen();
      const target = document.querySelector(focus);
      if (target) target.focus();
    } catch {
      window.location.assign(address);
    }
  }

  function at(version) {
    const address = new URL(window.location.href);
    address.searchParams.set("version", version);
    address.searchParams.delete("at");
    return address.href;
  }

  function listen() {
    const slider = document.getElementById("es-slider");
    const number = document.getElementById("es-version");
    if (slider) {
      slider.addEventListener("input", () => { number.value = slider.value; });
      slider.addEventListener("change", () => show(at(slider.value), "#es-slider"));
    }
    for (const link of document.querySelectorAll("[data-es-step]")) {
      link.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        show(link.href, `[data-es-step="${link.dataset.esStep}"]`);
      });
    }
  }

  listen();
})();
