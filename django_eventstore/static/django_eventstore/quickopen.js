/* Ctrl/Cmd-K opens a box that suggests where to go. */
(() => {
  "use strict";

  const dialog = document.getElementById("es-quick");
  if (!dialog) return;
  const input = dialog.querySelector("input");
  const list = dialog.querySelector("ul");
  let options = [];
  let chosen = 0;
  let asked = 0;
  let timer;

  function open() {
    if (dialog.open) return;
    dialog.showModal();
    input.select();
    suggest();
  }

  async function suggest() {
    const number = ++asked;
    const address = `${dialog.dataset.url}?q=${encodeURIComponent(input.value)}`;
    try {
      const response = await fetch(address, { headers: { Accept: "application/json" } });
      if (!response.ok || number !== asked) return;
      show((await response.json()).suggestions);
    } catch {
      // No answer: the form still leads to the list of actors.
      if (number === asked) show([]);
    }
  }

  function show(suggestions) {
    options = suggestions.map((suggestion, index) => {
      const option = document.createElement("li");
      option.id = `es-quick-${index}`;
      option.setAttribute("role", "option");
      option.dataset.url = suggestion.url;
      const kind = document.createElement("span");
      kind.className = "es-kind";
      kind.textContent = suggestion.kind;
      const label = document.createElement("bdi");
      label.textContent = suggestion.label;
      option.append(kind, label);
      return option;
    });
    list.replaceChildren(...options);
    input.setAttribute("aria-expanded", String(options.length > 0));
    choose(0);
  }

  function choose(index) {
    chosen = Math.min(Math.max(index, 0), options.length - 1);
    options.forEach((option, place) => {
      option.setAttribute("aria-selected", String(place === chosen));
    });
    if (options[chosen]) {
      input.setAttribute("aria-activedescendant", options[chosen].id);
      options[chosen].scrollIntoView({ block: "nearest" });
    } else {
      input.removeAttribute("aria-activedescendant");
    }
  }

  const go = (option) => { window.location.assign(option.dataset.url); };

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      open();
    }
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-es-quick-open]")) open();
    else if (event.target === dialog) dialog.close();
  });
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(suggest, 120);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") choose(chosen + 1);
    else if (event.key === "ArrowUp") choose(chosen - 1);
    else if (event.key === "Enter" && options[chosen]) go(options[chosen]);
    else return;
    event.preventDefault();
  });
  list.addEventListener("click", (event) => {
    const option = event.target.closest("li");
    if (option) go(option);
  });
})();
