// The editor of the page, as one module: `mount` puts it into an element, `paint` colours code that is only shown.
// Colours come from the page: tokens have the classes of `classHighlighter` (tok-keyword, tok-string …).
import {defaultKeymap, history, historyKeymap, indentWithTab} from "@codemirror/commands"
import {python, pythonLanguage} from "@codemirror/lang-python"
import {bracketMatching, indentOnInput, indentUnit, syntaxHighlighting} from "@codemirror/language"
import {highlightSelectionMatches, search, searchKeymap} from "@codemirror/search"
import {Compartment, EditorState, StateEffect, StateField} from "@codemirror/state"
import {
  Decoration, EditorView, drawSelection, highlightActiveLine, highlightActiveLineGutter, highlightSpecialChars, keymap,
  lineNumbers,
} from "@codemirror/view"
import {classHighlighter, highlightCode} from "@lezer/highlight"

const markLine = StateEffect.define()  // a line from 1 to point at; 0: none

// The line that a verdict names stays marked until it is edited.
const marked = StateField.define({
  create: () => Decoration.none,
  update(found, transaction) {
    let next = transaction.docChanged ? Decoration.none : found
    for (const effect of transaction.effects) {
      if (!effect.is(markLine)) continue
      const lines = transaction.state.doc.lines
      next = effect.value < 1 || effect.value > lines
        ? Decoration.none
        : Decoration.set([Decoration.line({class: "cm-marked"}).range(transaction.state.doc.line(effect.value).from)])
    }
    return next
  },
  provide: (field) => EditorView.decorations.from(field),
})

// An editor of Python in `parent`. `options`: doc, label (for screen readers), nonce (of the page's styles), phrases (of
// the search panel), save() on Ctrl-S, change() after every edit. Escape and then Tab leave it.
export function mount(parent, options) {
  const named = new Compartment()
  const labels = ({label, phrases}) => [
    EditorView.contentAttributes.of({"aria-label": label, spellcheck: "false", autocorrect: "off", autocapitalize: "off"}),
    EditorState.phrases.of(phrases ?? {}),
  ]
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: options.doc,
      extensions: [
        EditorView.cspNonce.of(options.nonce),
        lineNumbers(), highlightActiveLineGutter(), highlightSpecialChars(), history(), drawSelection(),
        EditorState.allowMultipleSelections.of(true), indentOnInput(), indentUnit.of("    "), bracketMatching(),
        highlightActiveLine(), highlightSelectionMatches(), search({top: true}), python(),
        syntaxHighlighting(classHighlighter), marked,
        EditorView.lineWrapping,
        keymap.of([
          {key: "Mod-s", preventDefault: true, run: () => { options.save(); return true }},
          indentWithTab, ...defaultKeymap, ...searchKeymap, ...historyKeymap,
        ]),
        EditorView.updateListener.of((update) => { if (update.docChanged) options.change() }),
        named.of(labels(options)),
      ],
    }),
  })
  return {
    view,
    text: () => view.state.sliceDoc(),
    // Replaces what is different, so that the cursor stays, and so that one Ctrl-Z takes it back.
    set(text) {
      const now = view.state.sliceDoc()
      if (now === text) return
      let from = 0, end = now.length, other = text.length
      while (from < end && from < other && now[from] === text[from]) from++
      while (end > from && other > from && now[end - 1] === text[other - 1]) { end--; other-- }
      view.dispatch({changes: {from, to: end, insert: text.slice(from, other)}})
    },
    mark(line) {
      view.dispatch({effects: markLine.of(line)})
    },
    label: (said) => view.dispatch({effects: named.reconfigure(labels(said))}),
    focus: () => view.focus(),
    destroy: () => view.destroy(),
  }
}

// Python as lines of [text, classes]: for listings, which are not edited.
export function paint(code) {
  const lines = [[]]
  highlightCode(
    code, pythonLanguage.parser.parse(code), classHighlighter,
    (text, classes) => lines.at(-1).push([text, classes]),
    () => lines.push([]),
  )
  return lines
}
