// What every part of the page uses: elements, words, requests, math, announcements, questions to the learner.

let words = {}
export const state = {language: "en"}

export function learn(found) {
  words = found.words
  state.language = found.language
  document.documentElement.lang = found.language === "zh" ? "zh-Hans" : "en"
}

// A text of the page; {fields} are filled.
export function t(name, values = {}) {
  return words[name].replace(/\{(\w+)\}/g, (_, key) => values[key])
}

// An element. Children are elements or text, and text is never HTML.
export function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value)
    else made.setAttribute(name, value === true ? "" : value)
  }
  fill(made, ...children)
  return made
}

// Replace what an element holds; what is not there (null, false, "") is left out.
export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child || child === 0))
}

// Text whose `commands` are set as code.
export function rich(text) {
  return text.split("`").map((part, at) => (at % 2 ? h("code", {}, part) : part))
}

// HTML that the server rendered from Markdown: raw HTML in it was escaped there, and the page's policy runs no script.
export function html(text, tag = "div", attributes = {}) {
  const made = h(tag, attributes)
  made.innerHTML = text
  return made
}

export function button(label, onclick, attributes = {}) {
  return h("button", {type: "button", ...attributes, onclick}, label)
}

export class Failure extends Error {}

async function answer(response) {
  let found = null
  try {
    found = await response.json()
  } catch {
    throw new Failure(response.statusText)
  }
  if (!response.ok) throw new Failure(found.error ?? response.statusText)
  return found
}

export async function get(name, query = {}) {
  const search = new URLSearchParams(query).toString()
  return answer(await fetch(`/api/${name}${search ? `?${search}` : ""}`))
}

export async function post(name, body = {}) {
  const headers = {"Content-Type": "application/json"}
  return answer(await fetch(`/api/${name}`, {method: "POST", headers, body: JSON.stringify(body)}))
}

// ---- math

window.MathJax = {
  tex: {
    inlineMath: [["\\(", "\\)"]], displayMath: [["\\[", "\\]"]],
    processEscapes: false, processEnvironments: false, processRefs: false,
    packages: {"[+]": ["noerrors", "mathtools", "mhchem"]},  // they are in the bundle
  },
  loader: {paths: {mathjax: "/mathjax"}},
  options: {enableMenu: false},
  startup: {typeset: false},
}
let mathjax = null

function loadMath() {
  mathjax ??= new Promise((resolve) => {
    const script = h("script", {src: "/mathjax/tex-chtml-full.js"})
    script.onload = () => MathJax.startup.promise.then(resolve)
    document.head.append(script)
  })
  return mathjax
}

// Set the formulas in an element; MathJax, a megabyte, is asked for when the first one is there.
export async function typeset(element) {
  if (!/\\[([]/.test(element.textContent)) return
  await loadMath()
  await MathJax.typesetPromise([element])
  // A wide formula can be scrolled by its own: whoever has only a keyboard must be able to reach it.
  for (const one of element.querySelectorAll('mjx-container[display="true"]')) {
    if (one.scrollWidth > one.clientWidth) one.tabIndex = 0
  }
}

// ---- what is said

const live = h("p", {class: "hidden", role: "status", "aria-live": "polite"})
const toast = h("div", {class: "toast", role: "alert", hidden: true})
let hiding = 0

export function speech() {
  return [live, toast]
}

// Said to a screen reader, and not shown.
export function announce(text) {
  live.textContent = ""
  requestAnimationFrame(() => { live.textContent = text })
}

// Shown for a while, and said.
export function tell(text) {
  toast.replaceChildren(h("span", {}, ...rich(text)), button("×", () => { toast.hidden = true }, {"aria-label": t("close")}))
  toast.hidden = false
  delete toast.dataset.failed
  clearTimeout(hiding)
  hiding = setTimeout(() => { toast.hidden = true }, 12000)
}

// What went wrong leaves with the view that it went wrong in.
export function hush() {
  if (toast.dataset.failed) toast.hidden = true
}

// What is said of something that went wrong.
export function told(error) {
  if (error instanceof Failure) return t("failed", {why: error.message})
  return error instanceof TypeError ? t("lost") : String(error)
}

// Do it; what goes wrong is told.
export async function attempt(work) {
  try {
    return await work()
  } catch (error) {
    tell(told(error))
    toast.dataset.failed = "true"
    if (!(error instanceof Failure || error instanceof TypeError)) throw error
    return null
  }
}

// A question with buttons: the value of the one that was pressed; null for Escape.
export function ask(text, choices = [[t("yes"), true], [t("no"), false]], note = "") {
  return new Promise((resolve) => {
    const buttons = choices.map(([label, value], at) =>
      button(label, () => { dialog.returnValue = String(at); dialog.close() }, {class: at === 0 ? "primary" : ""}))
    const named = `ask-${Math.random().toString(36).slice(2)}`
    const dialog = h("dialog", {"aria-labelledby": named},
      h("p", {id: named}, ...rich(text)), note && h("p", {class: "soft"}, note), h("div", {class: "row"}, ...buttons))
    dialog.addEventListener("close", () => {
      dialog.remove()
      resolve(dialog.returnValue === "" ? null : choices[Number(dialog.returnValue)][1])
    })
    document.body.append(dialog)
    dialog.showModal()
  })
}

// How many letters of code stand beside each other in an element.
export function columnsOf(element) {
  const probe = h("span", {class: "probe"}, "0".repeat(50))
  element.append(probe)
  const one = probe.getBoundingClientRect().width / 50
  probe.remove()
  const style = getComputedStyle(element)
  const room = element.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight)
  return one > 0 && room > 0 ? Math.max(20, Math.floor(room / one)) : 80
}
