import type { ProfileNode } from './read-profile.ts';

const WIDTH = 1_600;
const ROW = 17;
/** What is narrower is left out, pixels. */
const LEAST = 0.5;
/** Pixels of one letter. */
const LETTER = 6.2;

/** An SVG that says on hovering how long each function took: callers below, what they called on top. */
export function drawFlameGraph(root: ProfileNode): string {
  const boxes: string[] = [];
  let depth = 0;
  const draw = (node: ProfileNode, x: number, level: number): void => {
    const width = (node.totalMs / root.totalMs) * WIDTH;
    if (width < LEAST) return;
    depth = Math.max(depth, level);
    boxes.push(box(node, x, level, width));
    let at = x;
    for (const child of node.children) {
      draw(child, at, level + 1);
      at += (child.totalMs / root.totalMs) * WIDTH;
    }
  };
  draw(root, 0, 0);
  const height = (depth + 1) * ROW;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 ${-height} ${WIDTH} ${height}" font-family="monospace" font-size="10">\n${boxes.join('\n')}\n</svg>\n`;
}

function box({ name, totalMs, selfMs }: ProfileNode, x: number, level: number, width: number): string {
  const y = -(level + 1) * ROW;
  const letters = Math.floor(width / LETTER);
  const label =
    letters > 3 ? `<text x="${(x + 2).toFixed(1)}" y="${y + 12}">${escapeXml(name.slice(0, letters))}</text>` : '';
  const title = `${escapeXml(name)}: ${totalMs.toFixed(1)} ms, itself ${selfMs.toFixed(1)} ms`;
  return `<g><title>${title}</title><rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 1}" fill="${colour(name)}"/>${label}</g>`;
}

/** Our own code stands out from what it uses. */
function colour(name: string): string {
  if (name.includes(' src/')) return '#f4a261';
  return name.includes(' node_modules/') ? '#e9c46a' : '#cfd8dc';
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
