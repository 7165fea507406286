// The katas, the cards of one, the figures and the readiness checklist.
import {get, h, html, t, typeset} from "/assets/dom.js"
import {leftOut} from "/assets/plan.js"

export async function katasView() {
  const found = await get("katas")
  const none = h("p", {hidden: true}, t("none_found"))
  const sections = found.topics.map((topic) => {
    const rows = topic.katas.map((kata) => [kata, kataRow(kata)])
    return {rows, node: h("section", {}, h("h2", {}, topic.title), h("ul", {class: "plan"}, ...rows.map(([, row]) => row)))}
  })
  const filter = h("input", {type: "search", id: "filter", autocomplete: "off", oninput: () => {
    const wanted = filter.value.trim().toLowerCase()
    let left = 0
    for (const section of sections) {
      let some = 0
      for (const [kata, row] of section.rows) {
        row.hidden = !`${kata.kata} ${kata.title}`.toLowerCase().includes(wanted)
        some += row.hidden ? 0 : 1
      }
      section.node.hidden = some === 0
      left += some
    }
    none.hidden = left > 0
  }})
  const node = h("div", {class: "column"}, h("h1", {}, t("all_katas")), ...leftOut(found.packs),
    h("p", {class: "field"}, h("label", {for: "filter"}, t("filter")), filter), none, ...sections.map((one) => one.node))
  return {title: t("katas"), node}
}

function kataRow(kata) {
  const variants = kata.variants.map((one) =>
    h("a", {href: `#/kata/${kata.kata}/${one.id}`, title: one.title,
      "aria-label": t("variant_label", {kata: kata.title, variant: one.title})}, one.id))
  return h("li", {class: "item"},
    h("div", {class: "what"}, h("b", {}, kata.title),
      h("span", {class: "soft"}, kata.kata, " · ", t("min", {minutes: kata.minutes}), " · ",
        h("a", {href: `#/cards/${kata.kata}`, "aria-label": t("cards_label", {kata: kata.title})}, t("cards"))),
      variants.length > 0 && h("span", {class: "soft variants"}, ...variants)),
    h("a", {class: "button", href: `#/kata/${kata.kata}`, "aria-label": t("start_label", {kata: kata.title})}, t("start")))
}

export async function cardsView({rest}) {
  const found = await get("cards", {kata: rest[0]})
  const style = document.createElement("style")
  style.textContent = found.css
  const dark = matchMedia("(prefers-color-scheme: dark)")
  const list = h("div", {class: "cards"}, ...found.cards.map((card) => {
    const front = html(card.front, "div", {class: "card"}), back = html(card.back, "div", {class: "card"})
    for (const one of back.querySelectorAll("[id]")) one.removeAttribute("id")  // Anki shows one card at a time
    const opened = h("details", {}, h("summary", {}, t("show_back")), back)
    opened.addEventListener("toggle", () => { if (opened.open) typeset(back) })
    return h("article", {class: "flip", "aria-label": card.title}, front, opened)
  }))
  const night = () => {
    for (const one of [list, ...list.querySelectorAll(".card")]) one.classList.toggle("nightMode", dark.matches)
  }
  night()
  dark.addEventListener("change", night)
  const node = h("div", {class: "column"}, h("h1", {}, t("cards_of", {title: found.title})),
    h("p", {}, h("a", {class: "button", href: `#/kata/${found.kata}`}, t("practise"))),
    found.cards.length === 0 && h("p", {}, t("no_cards")), list)
  return {
    title: t("cards_of", {title: found.title}), node,
    shown: () => {
      document.head.append(style)
      for (const one of list.querySelectorAll(":scope > article > .card")) typeset(one)
    },
    leave: () => { style.remove(); dark.removeEventListener("change", night) },
  }
}

export async function statsView() {
  const found = await get("stats")
  const body = found.html ? html(found.html, "div", {class: "report"}) : h("p", {}, t("stats_none"))
  return {title: t("stats"), node: h("div", {class: "column wide"}, h("h1", {}, t("stats")), body)}
}

export async function readinessView() {
  const found = await get("readiness")
  const body = html(found.html, "div", {class: "report"})
  for (const code of body.querySelectorAll("code")) {  // a terminal's command for what is a link here
    const kata = /^llmdrills start ([\w-]+)$/.exec(code.textContent)?.[1]
    if (kata) code.replaceWith(h("a", {href: `#/kata/${kata}`, "aria-label": t("start_label", {kata})}, t("start")))
  }
  return {title: t("readiness"), node: h("div", {class: "column wide"}, h("h1", {}, t("readiness")), body)}
}
