// `npm ci --ignore-scripts && node build.mjs` writes src/llmdrills/_vendor/codemirror; with `--check` it only compares.
// The same lock file gives the same bytes.
import {createHash} from "node:crypto"
import {readFileSync, writeFileSync} from "node:fs"
import {dirname, join} from "node:path"
import {fileURLToPath} from "node:url"
import {build} from "esbuild"

const here = dirname(fileURLToPath(import.meta.url))
const target = join(here, "../../src/llmdrills/_vendor/codemirror")
const made = await build({
  absWorkingDir: here, entryPoints: ["editor.js"], bundle: true, minify: true, format: "esm", target: "es2022",
  charset: "utf8", legalComments: "none", metafile: true, write: false,
})
const inside = new Set(
  Object.keys(made.metafile.inputs).map((name) => name.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1]).filter(Boolean),
)
const licences = [...inside].sort().map((name) => {
  const about = JSON.parse(readFileSync(join(here, "node_modules", name, "package.json"), "utf8"))
  const text = readFileSync(join(here, "node_modules", name, "LICENSE"), "utf8").trim()
  return `${name} ${about.version} (${about.license})\n\n${text}\n`
})
const files = {"editor.js": made.outputFiles[0].text, LICENSE: licences.join(`\n${"-".repeat(80)}\n\n`)}
let differs = false
for (const [name, text] of Object.entries(files)) {
  const bytes = Buffer.from(text, "utf8")
  const sum = createHash("sha256").update(bytes).digest("hex")
  if (process.argv.includes("--check")) {
    const same = readFileSync(join(target, name)).equals(bytes)
    differs ||= !same
    console.log(`${same ? "same" : "DIFFERS"} ${name} ${bytes.length} ${sum}`)
  } else {
    writeFileSync(join(target, name), bytes)
    console.log(`${name} ${bytes.length} ${sum}`)
  }
}
process.exit(differs ? 1 : 0)
