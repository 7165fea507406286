// Runs in the page of a card: what a learner would see as broken.
() => {
  const faults = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth + 1) {
    const wide = [...document.querySelectorAll("#qa *")]
      .filter((e) => e.getBoundingClientRect().right > root.clientWidth + 1);
    faults.push(`overflow: ${root.scrollWidth} > ${root.clientWidth}: ${wide.slice(0, 3).map((e) => e.tagName + "." + e.className).join(" ")}`);
  }
  const rgb = (text) => (text.match(/[\d.]+/g) || []).map(Number);
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = rgb(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] > 0.99) return colour;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.getElementById("qa"), NodeFilter.SHOW_TEXT);
  let worst = 21;
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    if (!text || element.closest("script,style,mjx-assistive-mml") || !element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const [a, b] = [luminance(rgb(style.color)), luminance(ground(element))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    worst = Math.min(worst, contrast);
    if (contrast < 4.5) faults.push(`contrast ${contrast.toFixed(2)} of "${text.slice(0, 30)}" ${style.color} in ${element.className || element.tagName}`);
    if (!element.closest("code,pre") && /\$|\{\{|\}\}|\\\(|\\\[|\[\[/.test(text)) faults.push(`unrendered: ${text.slice(0, 60)}`);
  }
  for (const pre of document.querySelectorAll(".llm-bug pre")) if (pre.scrollWidth > pre.clientWidth) faults.push(`sideways: ${pre.textContent.slice(0, 60)}`);
  for (const broken of document.querySelectorAll("mjx-merror, [data-mjx-error], mjx-mtext[style*=red]")) faults.push(`math error: ${(broken.closest("mjx-container") || broken).textContent.slice(0, 60)}`);
  for (const image of document.images) if (getComputedStyle(image).display !== "none" && !image.naturalWidth) faults.push(`image ${image.src}`);
  return faults;
}
