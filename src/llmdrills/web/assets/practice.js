// A kata: the task, the editor, the verdict, hints, the comparison, the rating.
import {mount, paint} from "/codemirror/editor.js"
import {announce, ask, attempt, button, columnsOf, fill, get, h, html, post, rich, t, tell, typeset} from "/assets/dom.js"
import {undo} from "/assets/plan.js"

const ZH = {
  Find: "查找", Replace: "替换", next: "下一个", previous: "上一个", all: "全部", "match case": "区分大小写",
  "by word": "全字匹配", regexp: "正则表达式", replace: "替换", "replace all": "全部替换", close: "关闭",
}

const PAGE = crypto.randomUUID()  // which of several open pages this one is
// What was not saved when a kata was left, by its session: it is there again when the kata is.
export const drafts = new Map()
const SOON = 250  // milliseconds that a learner waits for a verdict without being told so

export async function practiceView({name, rest, nonce, go, again}) {
  const [kata, variant] = rest
  const found = await post("open", {kata, variant: variant ?? "", repair: name === "repair"})
  const sheet = new Sheet(found, {nonce, go, again})
  return {
    title: found.title, node: sheet.node, className: "practice", shown: () => sheet.mounted(),
    event: (kind, data) => sheet.event(kind, data), save: () => sheet.save(), unsaved: () => sheet.dirty, lost: () => sheet.lost(),
    leave: () => sheet.leave(),
  }
}

export class Sheet {
  // `extra`: what stands below the editor in an exam; there, nothing is explained.
  constructor(found, {nonce, go, again, extra = null}) {
    this.found = found
    this.go = go
    this.again = again
    this.version = found.version
    this.kept = found.code  // as it is in the file
    this.number = 0
    this.dirty = false
    this.began = 0
    this.nonce = nonce
    this.build(extra)
    window.llmdrills = this  // for whoever looks at the page from its console, and for its tests
  }

  build(extra) {
    const found = this.found
    this.task = html(found.html, "div", {class: "text"})
    if (found.silent) {  // in an exam the task stands below a heading of its own
      const head = this.task.querySelector("h1")
      head?.replaceWith(h("h2", {class: "as-first"}, ...head.childNodes))
    }
    this.hints = h("div", {class: "hints"})
    for (const [at, one] of found.hints.entries()) this.addHint(at + 1, one)
    this.holder = h("div", {class: "editor"})
    this.mark = h("span", {class: "soft", id: "kept"}, t("saved"))
    this.buttons = h("div", {class: "row actions"})
    this.verdict = h("section", {class: "verdict", role: "status", "aria-live": "polite", "aria-label": t("verdict")},
      h("p", {class: "soft"}, t("ready")))
    this.why = h("div")
    this.rating = h("div")
    this.shownCode = h("div")
    this.conflict = h("div")
    this.node = h("div", {class: "panes"},
      h("section", {class: "task", "aria-label": t("task")}, this.task, this.hints,
        h("p", {class: "soft small"}, h("a", {href: `#/cards/${found.kata}`}, t("cards")))),
      h("section", {class: "work", "aria-label": t("attempt")},
        h("div", {class: "about soft small"}, ...found.about.map((one) => h("p", {}, ...rich(one)))),
        this.conflict, this.holder,
        h("p", {class: "row between soft small"}, h("span", {}, t("editor_keys")), this.mark),
        this.buttons, this.verdict, this.rating, this.why, extra, this.shownCode))
    if (found.silent) this.node.querySelector(".task > p").remove()
    this.stand(found)
  }

  mounted() {
    this.editor = mount(this.holder, {
      doc: this.found.code, label: t("editor"), nonce: this.nonce,
      phrases: document.documentElement.lang === "en" ? {} : ZH,
      save: () => this.save(), change: () => this.changed(),
    })
    const {kata, repair, silent} = this.found
    for (const [session, one] of drafts) {  // one of a repetition that is over has no file to go to any more
      const same = one.kata === kata && one.repair === repair && one.silent === silent
      if (same && session !== this.found.session) drafts.delete(session)
    }
    const draft = drafts.get(this.found.session)
    if (draft) {  // if the file is another one by now, saving says so
      drafts.delete(this.found.session)
      this.version = draft.version
      this.editor.set(draft.text)
      this.changed()
    }
    typeset(this.task)
    typeset(this.hints)
    if (this.found.verdict) this.showVerdict(this.found.verdict)
    // On a phone the keyboard would cover the task.
    if (matchMedia("(min-width: 60rem)").matches) this.editor.focus()
  }

  leave() {
    clearTimeout(this.waiting)
    if (this.dirty) {
      const {session, kata, repair, silent} = this.found
      drafts.set(session, {text: this.editor.text(), version: this.version, kata, repair, silent})
    }
    this.editor?.destroy()
    if (window.llmdrills === this) window.llmdrills = null
  }

  changed() {
    this.dirty = this.editor.text() !== this.kept
    this.mark.textContent = t(this.dirty ? "unsaved" : "saved")
    this.mark.classList.toggle("unsaved", this.dirty)
  }

  // ---- saving

  async save(over = false) {
    const code = this.editor.text(), number = ++this.number
    this.began = performance.now()
    this.verdict.classList.add("busy")
    clearTimeout(this.waiting)  // most verdicts are there before a word that announces them could be read
    this.waiting = setTimeout(
      () => fill(this.verdict, h("p", {class: "soft"}, t(number === 1 ? "warming" : "grading"))), SOON)
    this.sent = code
    const sent = {session: this.found.session, code, version: this.version, number, page: PAGE, over,
      columns: columnsOf(this.verdict)}
    const said = await attempt(() => post("save", sent))
    if (said === null) {
      this.stop()
      return
    }
    if (said.conflict) {
      this.stop()
      this.showConflict(said)
      return
    }
    this.version = said.version
    this.kept = code
    fill(this.conflict)
    this.changed()
    if (said.trouble) {
      this.stop()
      tell(t("failed", {why: said.trouble}))
    }
  }

  // The server is gone: no verdict will come.
  lost() {
    if (this.verdict.classList.contains("busy")) this.stop()
  }

  stop() {
    clearTimeout(this.waiting)
    this.verdict.classList.remove("busy")
    fill(this.verdict, h("p", {class: "soft"}, t("ready")))
  }

  showConflict(said) {
    fill(this.conflict, h("div", {class: "notice", role: "alert"},
      h("p", {}, h("b", {}, t(said.gone ? "conflict_gone" : "conflict"))),
      h("p", {class: "soft"}, t("conflict_note")),
      h("div", {class: "row"},
        !said.gone && button(t("conflict_theirs"), () => this.takeTheirs(said)),
        button(t("conflict_mine"), () => { this.version = said.version; this.save(true) }))))
  }

  takeTheirs(said) {
    this.version = said.version
    this.kept = said.code
    fill(this.conflict)
    this.editor.set(said.code)
    this.changed()
    this.editor.focus()
  }

  // ---- what happens

  event(kind, data) {
    if (kind === "failed" && this.verdict.classList.contains("busy")) {
      this.stop()
      tell(t("failed", {why: data.why}))
      return true
    }
    if (data.session !== this.found.session) return false
    if (kind === "file") data.page !== PAGE && this.otherSave(data)
    else if (kind === "verdict") this.took(data)
    else return false
    return true
  }

  otherSave(data) {
    if (this.dirty) {
      this.showConflict(data)
      return
    }
    this.takeTheirs(data)
    announce(t("took"))
  }

  took(data) {
    const own = data.page === PAGE
    if (own && data.number !== this.number) return
    if (!own && data.page && this.dirty) {  // another page's: nothing of what is unsaved here
      if (this.verdict.classList.contains("busy")) this.stop()  // and it came instead of this page's own
      return
    }
    this.showVerdict(data)
    if (data.trouble) tell(t("failed", {why: data.trouble}))
    this.stand(data)
    // A verdict may come before the answer to its save: what counts is the text that it is about.
    this.editor.mark(this.editor.text() === (own ? this.sent : this.kept) ? data.line : 0)
    // For `benchmarks web`: how long it took until this was on the screen.
    requestAnimationFrame(() => { this.took_ms = performance.now() - this.began; this.node.dataset.number = data.number })
  }

  showVerdict(data) {
    clearTimeout(this.waiting)
    this.verdict.classList.remove("busy")
    this.verdict.dataset.outcome = data.outcome
    this.verdict.classList.toggle("passed", data.passed)
    fill(this.verdict, 
      h("h2", {}, data.head), data.message && h("pre", {}, data.message),
      data.line > 0 && h("p", {class: "hidden"}, t("line", {line: data.line})))
    fill(this.why, ...(data.why
      ? [h("details", {class: "why"}, h("summary", {}, t("details")), h("pre", {tabindex: "0"}, data.why))] : []))
  }

  // ---- what may be done

  stand(now) {
    this.now = {...this.now, ...now}
    const {state, passed, may_skip, may_offer, choices, mistake} = this.now
    const silent = this.found.silent, count = this.found.all_hints
    const shown = this.hints.children.length
    const over = state === "rated" || state === "passed"
    fill(this.buttons, 
      button(t("grade"), () => this.save(), {class: over ? "" : "primary", "aria-keyshortcuts": "Control+S"}),
      ...(silent ? [] : [
        button(shown < count ? t("hint_next", {number: shown + 1, count}) : t("no_more_hints"), () => this.hint(),
          {disabled: shown >= count}),
        button(t("diff"), () => this.reveal("beside")),
        button(t("solution"), () => this.reveal("solution")),
        may_offer && choices.length === 0 && button(t("rate"), () => this.offer()),
        may_skip && button(t("skip"), () => this.skip(), {class: "quiet"}),
      ]))
    if (silent) return
    if (over) this.finished(state, mistake)
    else if (passed || choices.length) this.choose(choices)
    else fill(this.rating)
  }

  choose(choices) {
    const earned = choices.at(-1)
    if (!earned) return
    fill(this.rating, h("section", {class: "rating", "aria-label": t("rate")},
      h("p", {}, t("choose")),
      h("div", {class: "choices"}, ...choices.map((one) =>
        button([h("b", {}, one.label), h("span", {}, one.due), h("span", {class: "soft"}, t("in_days", {days: one.in}))],
          () => this.rate(one.number), {class: one === earned ? "primary" : "", "data-rating": one.rating}))),
      h("p", {class: "soft small"}, t("earned", {reason: this.now.reason}))))
  }

  finished(state, mistake) {
    fill(this.rating, h("section", {class: "rating"},
      this.said && h("p", {}, this.said),
      mistake && h("p", {}, ...rich(mistake)),
      h("div", {class: "row"},
        button(t("next"), () => this.next(), {class: "primary"}),
        state === "rated" && button(t("undo"), () => undo({session: this.found.session}, this.go, this.again)))))
  }

  async next() {
    const plan = await attempt(() => get("plan"))
    if (plan === null) return
    this.go(plan.items.length > 0 ? `#/kata/${plan.items[0].kata}` : "#/")
  }

  async offer() {
    const found = await attempt(() => post("offer", {session: this.found.session}))
    if (found === null) return
    this.stand(found)
    this.rating.querySelector("button")?.focus()
  }

  async rate(rating) {
    const found = await attempt(() => post("rate", {session: this.found.session, rating}))
    if (found === null) return
    this.said = found.said
    this.stand({...found, choices: []})
    announce(found.said)
    this.rating.querySelector("button")?.focus()
  }

  async skip() {
    const session = this.found.session
    await attempt(async () => {
      let found = await post("skip", {session})
      if (found.ask) {
        if (!(await ask(found.ask))) {
          await post("withdraw", {session})
          return
        }
        found = await post("skip", {session})
      }
      this.dirty = false
      tell(found.said)
      this.go("#/")
    })
  }

  // ---- help

  addHint(number, text) {
    const head = t("hint", {number, count: this.found.all_hints})
    this.hints.append(html(text, "section", {class: "hint", "aria-label": head}))
    this.hints.lastChild.prepend(h("h2", {tabindex: "-1"}, head))
  }

  async hint() {
    const found = await attempt(() => post("hint", {session: this.found.session}))
    if (found === null || !found.html) return
    this.addHint(found.number, found.html)
    this.stand(found)
    await typeset(this.hints.lastChild)
    this.hints.lastChild.scrollIntoView({block: "nearest"})
    this.hints.lastChild.firstChild.focus()
  }

  async reveal(view) {
    const session = this.found.session
    await attempt(async () => {
      let found = await post("reveal", {session, view})
      if (found.ask) {
        if (!(await ask(found.ask))) {
          await post("withdraw", {session})
          return
        }
        found = await post("reveal", {session, view})
      }
      this.stand(found)
      const title = t(view === "solution" ? "solution" : "compared")
      const head = h("h2", {tabindex: "-1"}, title)
      const close = button(t("close"), () => { fill(this.shownCode); this.editor.focus() }, {class: "quiet"})
      const body = view === "solution" ? listing(found.solution)
        : found.same ? h("p", {}, t("same")) : comparison(found.rows)
      fill(this.shownCode, h("section", {class: "shown-code", "aria-label": title},
        h("div", {class: "row between"}, head, close), found.said && h("p", {class: "soft"}, found.said), body))
      head.focus()
      this.shownCode.scrollIntoView({block: "nearest"})
    })
  }
}

function coloured(tokens) {
  return tokens.map(([text, classes]) => (classes ? h("span", {class: classes}, text) : text))
}

function listing(code) {
  const lines = paint(code.trimEnd())
  return h("pre", {class: "listing", tabindex: "0"},
    h("code", {}, ...lines.flatMap((line, at) => [...coloured(line), at + 1 < lines.length ? "\n" : ""])))
}

// Yours and the reference beside each other; on a narrow screen below each other, as in a diff.
function comparison(rows) {
  const own = [0, 2].map((side) => {
    const lines = paint(rows.map((row) => row[side]).filter((line) => line !== null).join("\n"))
    return () => lines.shift() ?? []
  })
  const names = {" ": "same", "|": "changed", "<": "mine", ">": "theirs"}
  const words = {"|": t("differs"), "<": t("only_yours"), ">": t("only_reference")}
  const cell = (row, side) => h("td", {class: side ? "theirs" : "mine"},
    row[side] === null ? null : h("code", {}, ...coloured(own[side ? 1 : 0]())))
  return h("div", {class: "scrolls", tabindex: "0", role: "region", "aria-label": t("compared")},
    h("table", {class: "comparison"},
      h("thead", {}, h("tr", {}, h("th", {scope: "col"}, t("yours")), h("th", {scope: "col"}, t("reference")))),
      h("tbody", {}, ...rows.map((row) => {
        const made = h("tr", {class: names[row[1]]}, cell(row, 0), cell(row, 2))
        if (words[row[1]]) made.firstChild.prepend(h("span", {class: "hidden"}, `${words[row[1]]}: `))
        return made
      }))))
}
