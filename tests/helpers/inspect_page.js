// Runs in the page of `llmdrills web`: what a learner, or a screen reader, would find broken.
() => {
  const faults = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth + 1) faults.push(`overflow: ${root.scrollWidth} > ${root.clientWidth}`);
  for (const one of document.querySelectorAll(".task, .work, .column, body > header")) {
    if (one.scrollWidth > one.clientWidth + 1) faults.push(`overflow in ${one.className || one.tagName}: ${one.scrollWidth} > ${one.clientWidth}`);
  }
  const rgba = (text) => { const [r, g, b, a = 1] = (text.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number); return text.startsWith("color(srgb") ? [r * 255, g * 255, b * 255, a] : [r, g, b, a]; };
  const over = ([r, g, b, a], below) => [r, g, b].map((v, at) => v * a + below[at] * (1 - a));
  const luminance = (colour) => {
    const [x, y, z] = colour.map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(rgba(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const shown = (e) => e.getClientRects().length && getComputedStyle(e).visibility !== "hidden" && !e.closest(".hidden, [aria-busy=true], .busy");
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    if (!text || element.closest("script, style, mjx-assistive-mml, svg, :disabled") || !shown(element)) continue;
    texts++;
    const below = ground(element);
    const [a, b] = [luminance(over(rgba(getComputedStyle(element).color), below)), luminance(below)].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < 4.5) faults.push(`contrast ${contrast.toFixed(2)} of "${text.slice(0, 30)}" in ${element.className || element.tagName}`);
    if (!element.closest("code, pre, .cm-editor") && /\$\S|\{\w+\}|\\\(|\\\[|\bundefined\b|\bnull\b|\[object/.test(text)) faults.push(`unrendered: ${text.slice(0, 60)}`);
  }
  if (texts < 5) faults.push(`only ${texts} texts`);
  for (const broken of document.querySelectorAll("mjx-merror, [data-mjx-error]")) faults.push(`math error: ${broken.textContent.slice(0, 60)}`);
  for (const image of document.images) if (!image.naturalWidth) faults.push(`image ${image.src}`);
  for (const one of document.querySelectorAll("button, a[href], input, textarea, summary")) {
    const label = one.getAttribute("aria-label") || one.textContent.trim() || (one.id && document.querySelector(`label[for="${one.id}"]`)?.textContent.trim()) || one.placeholder || one.title;
    if (!label && shown(one)) faults.push(`no name: ${one.outerHTML.slice(0, 80)}`);
  }
  const ids = [...document.querySelectorAll("main [id], header [id]")].map((one) => one.id).filter((id) => !id.startsWith("mjx") && !id.startsWith("MJX"));
  if (new Set(ids).size !== ids.length) faults.push(`ids twice: ${ids.filter((id, at) => ids.indexOf(id) !== at)}`);
  if (document.querySelectorAll("main h1").length !== 1) faults.push(`${document.querySelectorAll("main h1").length} first headings`);
  if (!document.title.includes("llmdrills")) faults.push(`title ${document.title}`);
  return faults;
}
