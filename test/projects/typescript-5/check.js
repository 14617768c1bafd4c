import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";

renameSync("every.js", "every.ts");
const subPaths = readFileSync("every.ts", "utf8").trim().split("\n").length;
mkdirSync("out");
writeFileSync("out/package.json", `{ "type": "commonjs" }`);

const node = { moduleResolution: "node", module: "commonjs" };
const nodenext = { moduleResolution: "nodenext", module: "nodenext" };
const others = [
  { moduleResolution: "node16", module: "node16" },
  { moduleResolution: "bundler", module: "esnext" },
];
const resolutions = {
  "typescript": [node, nodenext, ...others],
  "typescript-oldest": [node, nodenext],
};
for (const compiler of Object.keys(resolutions)) {
  for (const resolution of resolutions[compiler]) {
    const compilerOptions = {
      ...resolution,
      target: "es2022",
      lib: ["es2022", "dom", "esnext.disposable"],
      types: [],
      strict: true,
      skipLibCheck: false,
      outDir: "out",
      noEmit: resolution.module !== "commonjs",
    };
    writeFileSync("tsconfig.json", JSON.stringify({ compilerOptions, files: ["consumer.ts"] }));
    const tsc = `node_modules/${compiler}/lib/tsc.js`;
    const { status, stdout } = spawnSync(process.execPath, [tsc], { encoding: "utf8" });
    assert.equal(status, 0, `${compiler}, ${JSON.stringify(resolution)}\n${stdout}`);
    if (compilerOptions.noEmit) continue;
    const output = execFileSync(process.execPath, ["out/consumer.js"], { encoding: "utf8" });
    assert.equal(output, `ada, ${subPaths} sub-paths\n`);
  }
}
