/** The chart: a bar a contender, a group a workload, on a logarithmic scale. */
import type { Measured } from "./report.ts";

const WIDTH = 860;
const LEFT = 230;
const BAR = 11;
const GAP = 16;
const COLOURS: Readonly<Record<string, string>> = {
  floor: "#9aa5b1",
  memwire: "#1f7a8c",
};
const OTHER = "#d9a441";

/** The measured throughputs as SVG. */
export function chart(measured: readonly Measured[]): string {
  const all = measured.flatMap(({ results }) => [...results.values()].map((r) => r.opsPerSecond));
  const low = Math.log10(Math.min(...all)) - 0.2;
  const high = Math.log10(Math.max(...all));
  const x = (value: number): number =>
    LEFT + (Math.log10(value) - low) / (high - low) * (WIDTH - LEFT - 120);
  const shapes: string[] = [];
  let y = 10;
  for (const { workload, results } of measured) {
    const sorted = [...results].sort(([, a], [, b]) => b.opsPerSecond - a.opsPerSecond);
    shapes.push(text(4, y + BAR - 1, workload.name, "start", "bold"));
    for (const [name, { opsPerSecond }] of sorted) {
      const end = x(opsPerSecond);
      shapes.push(
        `<rect x="${LEFT}" y="${y}" width="${(end - LEFT).toFixed(1)}" height="${BAR - 2}" ` +
          `fill="${COLOURS[name] ?? OTHER}"/>`,
        text(
          end + 4,
          y + BAR - 2,
          `${name} ${Math.round(opsPerSecond).toLocaleString("en")}/s`,
        ),
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
