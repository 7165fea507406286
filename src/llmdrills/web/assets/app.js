// The page: its head, the views by the address's fragment, and the stream of what happens.
import {
  announce, attempt, button, get, h, hush, learn, post, rich, speech, state, t, tell, told,
} from "/assets/dom.js"
import {planView} from "/assets/plan.js"
import {drafts, practiceView} from "/assets/practice.js"
import {examView} from "/assets/exam.js"
import {cardsView, katasView, readinessView, statsView} from "/assets/pages.js"

const nonce = document.querySelector("script[type=module]").nonce
const main = h("main", {id: "main", tabindex: "-1"})
const banner = h("p", {class: "banner", role: "alert", hidden: true})
const nav = h("nav")
const PAGES = [["", "today"], ["katas", "katas"], ["exam", "exam"], ["stats", "stats"], ["readiness", "readiness"]]
const VIEWS = {
  "": planView, katas: katasView, kata: practiceView, repair: practiceView, cards: cardsView, exam: examView,
  stats: statsView, readiness: readinessView,
}
let shown = null  // the view: {title, node, event(kind, data), leave()}
let turn = 0

function head() {
  const here = location.hash.replace(/^#\/?/, "").split("/")[0]
  const current = here === "kata" || here === "repair" ? "" : here === "cards" ? "katas" : here
  nav.setAttribute("aria-label", t("pages"))
  nav.replaceChildren(
    ...PAGES.map(([path, name]) =>
      h("a", {href: `#/${path}`, "aria-current": path === current ? "page" : false,
        onclick: () => { if (location.hash === `#/${path}`) show() }}, t(name))),
    h("button", {type: "button", class: "language", lang: state.language === "en" ? "zh-Hans" : "en",
      "aria-label": t("language_label"), onclick: switchLanguage}, t("language")),
  )
}

async function switchLanguage() {
  await attempt(async () => {
    learn(await post("language", {language: state.language === "en" ? "zh" : "en"}))
    await show()
  })
}

async function show() {
  const own = ++turn
  shown?.leave?.()
  shown = null
  head()
  main.setAttribute("aria-busy", "true")
  const [name, ...rest] = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent)
  hush()
  let made
  try {
    made = await (VIEWS[name] ? VIEWS[name]({name, rest, nonce, go, again: show}) : nowhere())
  } catch (error) {
    made = failed(told(error))
  }
  if (own !== turn) {
    made?.leave?.()
    return
  }
  shown = made
  main.removeAttribute("aria-busy")
  main.className = made.className ?? ""
  main.replaceChildren(made.node)
  document.title = `${made.title} · llmdrills`
  made.shown?.()
  const first = main.querySelector("h1")
  if (first && !main.contains(document.activeElement)) {
    first.tabIndex = -1
    first.focus({preventScroll: true})
  }
  window.scrollTo(0, 0)
}

function nowhere() {
  return {title: t("gone_page"), node: h("div", {class: "column"}, h("h1", {}, t("gone_page")),
    h("p", {}, h("a", {class: "button", href: "#/"}, t("today"))))}
}

function failed(why) {
  return {title: t("failed_page"), node: h("div", {class: "column"}, h("h1", {}, t("failed_page")),
    h("p", {role: "alert"}, ...rich(why)),
    h("p", {class: "row"}, button(t("again"), () => show(), {class: "primary"}), h("a", {class: "button", href: "#/"}, t("today"))))}
}

function go(path) {
  if (location.hash === path) show()
  else location.hash = path
}

function listen() {
  const stream = new EventSource("/events")
  for (const kind of ["verdict", "graded", "failed", "file", "exam"]) {
    stream.addEventListener(kind, (event) => {
      const data = JSON.parse(event.data)
      if (!shown?.event?.(kind, data) && kind === "failed") tell(t("failed", {why: data.why}))
    })
  }
  stream.onerror = () => {
    banner.textContent = t("lost").replaceAll("`", "")
    banner.hidden = false
    shown?.lost?.()
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 3000)
  }
  stream.onopen = () => { banner.hidden = true }
}

window.addEventListener("hashchange", show)
window.addEventListener("beforeunload", (event) => { if (shown?.unsaved?.() || drafts.size > 0) event.preventDefault() })
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "s") {
    event.preventDefault()  // also where the focus is not in the editor: nobody wants to save this page
    if (!event.target.closest?.(".cm-editor")) shown?.save?.()
  }
})

await attempt(async () => {
  learn(await get("words"))
  document.body.append(
    h("a", {class: "skip", href: "#main", onclick: (event) => { event.preventDefault(); main.focus() }}, t("skip_link")),
    h("header", {}, h("a", {class: "brand", href: "#/"}, "llmdrills"), nav), banner, main, ...speech(),
  )
  listen()
  await show()
  announce(document.title)
})
