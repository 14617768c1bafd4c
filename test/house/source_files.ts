/**
 * Reads the package's source files: what they import, and how long they are.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** One file. Paths are relative to the package's top folder. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
  /** What it imports or re-exports: paths of files, and names of built-in modules. */
  readonly imports: readonly string[];
}

/** Returns mod.ts and all files under src. */
export function sourceFiles(): SourceFile[] {
  const names = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" });
  const paths = names.filter((name) => name.endsWith(".ts")).map((name) => join("src", name));
  return ["mod.ts", ...paths].sort().map((path) => {
    const text = readFileSync(join(ROOT, path), "utf8");
    return { path, text, imports: readImports(path, text) };
  });
}

/** Returns what a text imports, statically, by `import()` or as a type. */
export function readImports(path: string, text: string): string[] {
  const code = withoutComments(text);
  const found = code.matchAll(/\b(?:from|import|import\s*\()\s*["']([^"']+)["']/g);
  return [...found].map(([, name = ""]) =>
    name.startsWith(".") ? relative(".", join(dirname(path), name)) : name
  );
}

/** Blanks the comments of a text. Line breaks and strings stay. */
export function withoutComments(text: string): string {
  const token = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|\/\*[^]*?\*\/|\/\/[^\n]*/g;
  return text.replace(
    token,
    (match) => match.startsWith("/") ? match.replace(/[^\n]/g, "") : match,
  );
}

/** Blanks the comments and the contents of strings of a text. */
export function codeOnly(text: string): string {
  return withoutComments(text).replace(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g, '""');
}

/** Counts the lines that hold code. */
export function codeLines(text: string): number {
  return withoutComments(text).split("\n").filter((line) => line.trim() !== "").length;
}
