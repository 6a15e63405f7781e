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
  let fresh = false;  // whether the suggestions are for what stands in the box
  let going = false;  // whether Enter was pressed before they were

  function open() {
    if (dialog.open) return;
    dialog.showModal();
    input.select();
    suggest();
  }

  async function suggest() {
    const number = ++asked;
    const address = `${dialog.dataset.url}?q=${encodeURIComponent(input.value)}`;
    let suggestions = [];
    list.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(address, { headers: { Accept: "application/json" } });
      if (response.ok) suggestions = (await response.json()).suggestions;
    } catch {
      // No answer: the form still leads to the list of actors.
    }
    if (number !== asked) return;
    list.setAttribute("aria-busy", "false");
    fresh = true;
    show(suggestions);
    if (!going) return;
    going = false;
    if (options[0]) go(options[0]);
    else input.form.requestSubmit();
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

  // Closed before the page is left, or it would still be open after a step back.
  input.form.addEventListener("submit", () => dialog.close());

  function go(option) {
    dialog.close();
    window.location.assign(option.dataset.url);
  }

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
    fresh = going = false;
    asked += 1;  // an answer on its way is for other text
    clearTimeout(timer);
    timer = setTimeout(suggest, 120);
  });
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "ArrowDown") choose(chosen + 1);
    else if (event.key === "ArrowUp") choose(chosen - 1);
    else if (event.key === "Enter" && !fresh) {
      going = true;
      clearTimeout(timer);
      suggest();
    } else if (event.key === "Enter" && options[chosen]) go(options[chosen]);
    else return;
    event.preventDefault();
  });
  list.addEventListener("click", (event) => {
    const option = event.target.closest("li");
    if (option) go(option);
  });
})();
