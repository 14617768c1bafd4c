/** Draws the chart: a group for each workload, a bar for each contender, each group on its own scale from 0. */
import type { Result } from "./child.ts";
import { type Measured, medians } from "./report.ts";

const WIDTH = 760;
const LEFT = 200;
const LONGEST = 380;
const BAR = 12;
const GAP = 14;
const COLOURS: Readonly<Record<string, string>> = {
  floor: "#9aa5b1",
  memwire: "#1f7a8c",
};
const OTHER = "#d9a441";

/** Draws the measured throughputs as SVG, for the workloads that a peer can do. */
export function chart(measured: readonly Measured[]): string {
  const shapes: string[] = [];
  let y = 12;
  for (const { workload, results } of measured) {
    const sorted = [...results.keys()].filter((name) => name !== "base" && name !== "c")
      .map((name) => [name, medians(results.get(name)) as Result] as const)
      .sort(([, a], [, b]) => b.opsPerSecond - a.opsPerSecond);
    if (sorted.every(([name]) => name in COLOURS)) continue;
    const [, fastest] = sorted[0] as (typeof sorted)[number];
    shapes.push(text(LEFT - 8, y + BAR - 3, workload.name, "end", "bold"));
    for (const [name, { opsPerSecond }] of sorted) {
      const length = opsPerSecond / fastest.opsPerSecond * LONGEST;
      const rate = `${Math.round(opsPerSecond).toLocaleString("en")}/s`;
      shapes.push(
        `<rect x="${LEFT}" y="${y}" width="${length.toFixed(1)}" height="${BAR - 2}" ` +
          `fill="${COLOURS[name] ?? OTHER}"/>`,
        text(LEFT + length + 5, y + BAR - 3, `${name} ${rate}`),
      );
      y += BAR;
    }
    y += GAP;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" ` +
    `font-family="sans-serif" font-size="10">\n<rect width="100%" height="100%" fill="#fff"/>\n` +
    `${shapes.join("\n")}\n</svg>\n`;
}

function text(
  x: number,
  y: number,
  what: string,
  anchor = "start",
  weight = "normal",
): string {
  return `<text x="${x.toFixed(1)}" y="${y}" text-anchor="${anchor}" font-weight="${weight}">` +
    `${what}</text>`;
}
