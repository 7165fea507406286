// The exam: it is begun or gone on with, asked and marked, and reported.
import {announce, ask, attempt, button, fill, get, h, html, post, rich, t, typeset} from "/assets/dom.js"
import {Sheet, drafts} from "/assets/practice.js"

export async function examView({nonce, go, again}) {
  const room = new Room(nonce, go, again)
  await room.show(await get("exam"))
  return {
    title: t("exam"), node: room.node, className: "exam", shown: () => room.shown(),
    event: (kind, data) => room.event(kind, data), save: () => room.sheet?.save(), lost: () => room.sheet?.lost(),
    unsaved: () => room.sheet?.dirty ?? false, leave: () => room.leave(),
  }
}

class Room {
  constructor(nonce, go, again) {
    this.nonce = nonce
    this.go = go
    this.again = again
    this.node = h("div")
    this.there = false
  }

  shown() {
    this.there = true
    this.settle()
  }

  leave() {
    this.keep()
    clearInterval(this.clock)
    this.sheet?.leave()
  }

  settle() {
    this.sheet?.mounted()
    typeset(this.node)
    if (this.there && !this.sheet) (this.node.querySelector("[data-first]") ?? this.node.querySelector("h1"))?.focus()
  }

  async act(name, body = {}) {
    const found = await attempt(() => post(`exam/${name}`, body))
    if (found !== null) await this.show(found)
  }

  async show(found) {
    this.found = found
    this.sheet?.leave()
    this.sheet = null
    this.draft = null
    clearInterval(this.clock)
    const views = {none: this.begin, begun: this.begin, sitting: this.sitting, over: this.over}
    fill(this.node, views[found.state].call(this, found))
    if (this.there) this.settle()
  }

  // ---- before

  begin(found) {
    const field = (name, most) => {
      const input = h("input", {type: "number", id: name, min: name === "minutes" ? 1 : 0, max: most, value: found[name]})
      return [h("label", {for: name}, t(`exam_${name}`)), input]
    }
    const listed = h("input", {type: "checkbox", id: "listed"})
    const number = (name) => Number(this.node.querySelector(`#${name}`).value)
    const begin = () => this.act("begin", listed.checked ? {listed: true}
      : {minutes: number("minutes"), katas: number("katas"), questions: number("questions")})
    const begun = found.state === "begun"
    return h("div", {class: "column"}, h("h1", {tabindex: "-1"}, t("exam")), h("p", {}, t("exam_about")),
      this.leftOff && h("p", {class: "soft", role: "status"}, t("exam_left_off")),
      begun
        ? h("p", {class: "row"}, button(t("exam_resume"), () => this.act("begin"), {class: "primary", "data-first": true}),
          h("span", {class: "soft"}, t("exam_left", {minutes: found.left})))
        : h("form", {class: "form", onsubmit: (event) => { event.preventDefault(); begin() }},
          h("div", {class: "fields"}, ...field("minutes", 600), ...field("katas", 100), ...field("questions", 1000)),
          h("p", {}, listed, " ", h("label", {for: "listed"}, t("exam_listed"))),
          h("p", {}, h("button", {type: "submit", class: "primary"}, t("exam_begin")))),
      found.reported && h("p", {}, button(t("exam_last"), () => this.last(), {class: "quiet"})))
  }

  async last() {
    const found = await attempt(() => get("exam/report"))
    if (found !== null) await this.show({...found, earlier: true})
  }

  // ---- a task

  sitting(found) {
    const left = h("span", {class: "clock"}, t("exam_left", {minutes: found.left}))
    const end = Date.now() + found.left * 60000
    this.clock = setInterval(() => {
      left.textContent = t("exam_left", {minutes: Math.max(0, Math.ceil((end - Date.now()) / 60000))})
    }, 5000)
    const head = h("div", {class: "row between exam-head"},
      h("h1", {tabindex: "-1"}, `${t("exam_number", {number: found.number, count: found.count})} · ${found.part}`),
      h("div", {class: "row"}, left,
        button(t("exam_leave"), () => { this.leftOff = true; this.keep().then(() => this.act("leave")) }, {class: "quiet"}),
        button(t("exam_end"), () => this.end(), {class: "quiet"})))
    const said = found.said ? h("div", {class: "soft small"}, ...found.said.map((one) => h("p", {}, ...rich(one)))) : null
    if (found.kind === "kata") return this.kata(found, head, said)
    return h("div", {class: "column"}, head, said, this.question(found))
  }

  question(found) {
    const front = html(found.front, "div", {class: "text question"})
    if (found.atoms.length === 0) {
      this.draft = found.number_asked
        ? h("input", {type: "text", id: "draft", autocomplete: "off", "data-first": true,
          onkeydown: (event) => { if (event.key === "Enter") this.reveal() }})
        : h("textarea", {id: "draft", rows: 4, "data-first": true})
      this.draft.value = found.typed
      this.draft.addEventListener("change", () => this.keep())
      return h("div", {}, front,
        h("p", {class: "field"}, h("label", {for: "draft"}, t("exam_draft"),
          found.number_asked ? ` · ${found.number_asked}` : ""), this.draft),
        found.unread && h("p", {class: "notice", role: "alert"}, ...rich(found.unread)),
        h("div", {class: "row"}, button(t("exam_reveal"), () => this.reveal(), {class: "primary"}),
          !found.last && button(t("exam_later"), () => this.keep().then(() => this.act("later")))))
    }
    const atoms = h("ol", {class: found.points > 1 ? "atoms" : "atoms plain"}, ...found.atoms.map((atom, at) => {
      const mark = found.marks[at]
      const sign = mark === undefined ? null : h("span", {class: mark ? "sign good" : "sign bad"},
        `${mark ? "✓" : "✗"} ${t(mark ? "exam_had" : "exam_missed")}`)
      return h("li", {}, html(atom, "span", {class: "text"}), sign)
    }))
    const point = found.points > 1 && !found.done
      ? h("p", {class: "soft"}, t("exam_point", {number: found.marks.length + 1, count: found.points})) : null
    const buttons = found.done
      ? [button(t("exam_next"), () => this.refresh(), {class: "primary", "data-first": true})]
      : [button(t("exam_had"), () => this.act("mark", {had: true}), {class: "primary", "data-first": true}),
        button(t("exam_missed"), () => this.act("mark", {had: false})),
        found.marks.length > 0 && button(t("exam_back"), () => this.act("unmark"), {class: "quiet"})]
    return h("div", {}, front,
      found.typed && h("blockquote", {}, found.typed),
      h("section", {class: "answer", "aria-live": "polite"}, h("h2", {}, t("exam_answer")), point, atoms,
        ...found.more.map((one) => html(one, "div", {class: "text soft"}))),
      h("div", {class: "row"}, ...buttons))
  }

  kata(found, head, said) {
    this.status = h("div", {class: "said", role: "status", "aria-live": "polite"})
    if (found.settled) {
      return h("div", {class: "column"}, head, ...found.settled.map((one) => h("p", {}, ...rich(one))),
        button(t("exam_next"), () => this.refresh(), {class: "primary", "data-first": true}))
    }
    const later = found.last ? null : button(t("exam_later"), () => this.act("later"))
    this.sheet = new Sheet(found.practice, {nonce: this.nonce, go: this.go, again: this.again,
      extra: h("div", {}, this.status, h("div", {class: "row"}, later))})
    return h("div", {}, head, said, this.sheet.node)
  }

  async keep() {
    if (this.draft && this.found.state === "sitting" && this.draft.value !== this.found.typed) {
      this.found.typed = this.draft.value
      await attempt(() => post("exam/type", {text: this.draft.value}))
    }
  }

  reveal() {
    return this.act("reveal", {text: this.draft.value})
  }

  async refresh() {
    const found = await attempt(() => get("exam"))
    if (found !== null) await this.show(found)
  }

  async end() {
    if (await ask(t("exam_sure_end"))) await this.act("end")
  }

  // ---- after

  over(found) {
    for (const [session, draft] of drafts) if (draft.silent) drafts.delete(session)
    const report = html(found.html, "div", {class: "report"})
    report.querySelector("h1").dataset.first = true
    report.querySelector("h1").tabIndex = -1
    return h("div", {class: "column wide"}, !found.earlier && h("p", {class: "soft", role: "status"}, t("exam_over")),
      report, found.file && h("p", {class: "soft small"}, t("exam_report"), " ", h("code", {}, found.file)))
  }

  event(kind, data) {
    if (kind === "exam" && data.over) {
      this.refresh()
      return true
    }
    if (kind === "graded" && data.session === this.sheet?.found.session) {
      this.graded(data)
      return true
    }
    return this.sheet?.event(kind, data) ?? false
  }

  graded(data) {
    const sheet = this.sheet
    sheet.verdict.classList.remove("busy")
    sheet.verdict.classList.toggle("passed", data.passed)
    sheet.verdict.dataset.outcome = data.passed ? "passed" : "wrong"
    fill(sheet.verdict, ...data.said.map((one) => h("p", {}, ...rich(one))))
    if (!data.passed) return
    announce(data.said.join(" "))
    sheet.dirty = false
    const next = button(t("exam_next"), () => this.refresh(), {class: "primary"})
    fill(this.status.nextSibling, next)
    next.focus()
  }
}
