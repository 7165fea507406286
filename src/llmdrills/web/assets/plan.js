// Today: the katas of the plan, what is set aside, a repair, and the last step that can be taken back.
import {announce, ask, attempt, button, get, h, post, rich, t} from "/assets/dom.js"

export async function planView({go, again}) {
  const plan = await get("plan")
  const [head, ...extras] = plan.head.split(" · ")
  const node = h("div", {class: "column"},
    h("h1", {}, head),
    extras.length > 0 && h("p", {class: "soft"}, extras.join(" · ")),
    ...leftOut(plan.packs),
    plan.items.length > 0 && h("ol", {class: "plan"}, ...plan.items.map((item, at) => row(item, at === 0))),
    plan.note && h("p", {class: "soft"}, plan.note),
    plan.items.length === 0 && plan.next_due && h("p", {}, t("next_due", {day: plan.next_due})),
    plan.more && h("section", {}, h("h2", {}, t("more")), h("ul", {class: "plan"}, row(plan.more, false))),
    plan.repair && repair(plan.repair),
    plan.aside.length > 0 && h("section", {}, h("h2", {}, t("aside")),
      h("ul", {class: "plain"}, ...plan.aside.map((one) =>
        h("li", {}, h("b", {}, one.kata), " ", h("span", {class: "soft"}, t("aside_until", {until: one.until})),
          h("p", {}, ...rich(one.advice)), search(one.search))))),
    plan.undo && h("p", {class: "row end"},
      button(t("undo_step", {what: plan.undo.what}), () => undo(plan.undo, go, again), {class: "quiet"})),
  )
  return {title: t("today"), node}
}

// Content packs that are installed and not used, each with what to do.
export function leftOut(packs) {
  return packs.map((text) => h("p", {class: "notice small"}, ...rich(text)))
}

function row(item, first) {
  const label = t(item.begun ? "go_on_label" : "start_label", {kata: item.title})
  return h("li", {class: "item"},
    h("div", {class: "what"},
      h("b", {}, item.title),
      h("span", {class: "soft"}, `${item.topic} · ${t("min", {minutes: item.minutes})} · ${item.why}`),
      search(item.search)),
    h("a", {class: first ? "button primary" : "button", href: `#/kata/${item.kata}`, "aria-label": label},
      t(item.begun ? "go_on" : "start")))
}

function repair(offer) {
  return h("section", {}, h("h2", {}, t("repair")),
    h("ul", {class: "plan"}, h("li", {class: "item"},
      h("div", {class: "what"}, h("b", {}, offer.title),
        h("span", {class: "soft"}, `${t("min", {minutes: offer.minutes})} · ${offer.why}`),
        h("span", {class: "soft"}, t("repair_about"))),
      h("a", {class: "button", href: `#/repair/${offer.kata}`, "aria-label": `${t("repair_start")} ${offer.title}`},
        t(offer.begun ? "go_on" : "repair_start")))))
}

function search(text) {
  return text ? h("span", {class: "search"}, t("search"), " ", h("code", {}, text)) : null
}

export async function undo(step, go, again) {
  await attempt(async () => {
    const asked = await get("undo", {session: step.session ?? ""})
    if (!asked.id) return
    if (!(await ask(asked.ask))) return
    const done = await post("undo", {id: asked.id})
    if (done.undone) announce(done.undone)
    if (done.kata) go(`#/${done.repair ? "repair" : "kata"}/${done.kata}`)
    else if (step.session) go("#/")
    else again()
  })
}
