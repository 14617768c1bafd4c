/**
 * The files of the package's source, read for what they import and how long they are.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** One file, paths relative to the package's top. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
  /** What it imports or exports from: paths of files, and the names of built-in modules. */
  readonly imports: readonly string[];
}

/** mod.ts and everything under src. */
export function sourceFiles(): SourceFile[] {
  const names = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" });
  const paths = names.filter((name) => name.endsWith(".ts")).map((name) => join("src", name));
  return ["mod.ts", ...paths].sort().map((path) => {
    const text = readFileSync(join(ROOT, path), "utf8");
    return { path, text, imports: readImports(path, text) };
  });
}

/** What a text imports, statically, by `import()` or as a type. */
export function readImports(path: string, text: string): string[] {
  const code = withoutComments(text);
  const found = code.matchAll(/\b(?:from|import|import\s*\()\s*["']([^"']+)["']/g);
  return [...found].map(([, name = ""]) =>
    name.startsWith(".") ? relative(".", join(dirname(path), name)) : name
  );
}

/** The text with comments blanked; line breaks stay. Strings are left as they are. */
export function withoutComments(text: string): string {
  const token = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|\/\*[^]*?\*\/|\/\/[^\n]*/g;
  return text.replace(
    token,
    (match) => match.startsWith("/") ? match.replace(/[^\n]/g, "") : match,
  );
}

/** The text with comments and the contents of strings blanked. */
export function codeOnly(text: string): string {
  return withoutComments(text).replace(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g, '""');
}

/** Lines that hold code. */
export function codeLines(text: string): number {
  return withoutComments(text).split("\n").filter((line) => line.trim() !== "").length;
}
