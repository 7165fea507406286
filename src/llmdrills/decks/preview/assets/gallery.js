// The list of cards and the two frames that show the chosen one. The address keeps the choice, so a reload comes back to it.
"use strict";
const $ = (id) => document.getElementById(id);
const state = Object.assign({ lang: "en", mode: "light", device: "desktop", card: "", find: "" },
  Object.fromEntries(new URLSearchParams(location.hash.slice(1))));
let cards = [];

function key(card) { return `${card.note}/${card.number}`; }

function frame(side) {
  const [id, n] = state.card.split("/");
  return `/card?${new URLSearchParams({ lang: state.lang, id, n, side, mode: state.mode, device: state.device })}`;
}

function show() {
  history.replaceState(null, "", `#${new URLSearchParams(state)}`);
  $("front").src = frame("front");
  $("back").src = frame("back");
  document.querySelector("section").className = state.device;
  for (const button of document.querySelectorAll("nav button")) {
    button.setAttribute("aria-current", String(button.dataset.card === state.card));
  }
}

function list() {
  const words = state.find.toLowerCase();
  const shown = cards.filter((c) => c.language === state.lang && `${c.note} ${c.title}`.toLowerCase().includes(words));
  const nav = $("list");
  nav.replaceChildren();
  let deck = "";
  for (const card of shown) {
    if (card.deck !== deck) {
      deck = card.deck;
      nav.append(Object.assign(document.createElement("h2"), { textContent: deck }));
    }
    const button = Object.assign(document.createElement("button"), { textContent: `${card.note}${card.number > 1 ? ` · ${card.number}` : ""}`, title: card.title });
    button.dataset.card = key(card);
    button.addEventListener("click", () => { state.card = key(card); show(); });
    nav.append(button);
  }
  $("count").textContent = `${shown.length} cards`;
  if (!shown.some((c) => key(c) === state.card) && shown.length) state.card = key(shown[0]);
}

async function load() {
  const answer = await (await fetch("/cards.json")).json();
  cards = answer.cards;
  $("problems").hidden = answer.problems.length === 0;
  $("problems").textContent = answer.problems.join("\n");
  list();
}

for (const name of ["lang", "mode", "device", "find"]) {
  $(name).value = state[name];
  $(name).addEventListener("input", () => { state[name] = $(name).value; list(); show(); });
}
document.addEventListener("keydown", (event) => {
  if (event.target.tagName === "INPUT" || !["j", "k", "ArrowDown", "ArrowUp"].includes(event.key)) return;
  const buttons = [...document.querySelectorAll("nav button")];
  const at = buttons.findIndex((b) => b.dataset.card === state.card) + (["j", "ArrowDown"].includes(event.key) ? 1 : -1);
  if (buttons[at]) { buttons[at].click(); buttons[at].scrollIntoView({ block: "nearest" }); event.preventDefault(); }
});
new EventSource("/events").addEventListener("change", load);
load().then(show);
