/* Buttons with data-es-copy="#id" copy that element's text. */
(() => {
  "use strict";

  const live = document.getElementById("es-live");
  let timer;

  function say(text) {
    live.textContent = text;
    clearTimeout(timer);
    timer = setTimeout(() => { live.textContent = ""; }, 2500);
  }

  // Where the clipboard may not be used (plain http), select and copy as a user would.
  function copyBySelecting(text) {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "es-sr";
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    return copied;
  }

  async function copy(text) {
    if (!navigator.clipboard) return copyBySelecting(text);
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return copyBySelecting(text);
    }
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-es-copy]");
    if (!button) return;
    const source = document.querySelector(button.dataset.esCopy);
    const copied = await copy(source.textContent);
    say(copied ? live.dataset.copied : live.dataset.failed);
  });
})();
