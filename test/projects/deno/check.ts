import assert from "node:assert/strict";

const source = Deno.env.get("MEMWIRE_SOURCE");
const server = Deno.env.get("MEMCACHED_SERVERS") as string;
const { name, version, exports } = JSON.parse(Deno.readTextFileSync(`${source}/deno.json`));

// `links` replaces the registry: Deno takes the package's own folder for the package of this name on JSR.
Deno.mkdirSync("jsr");
Deno.copyFileSync("main.ts", "jsr/main.ts");
const config = { links: [source], imports: { memwire: `jsr:${name}@^${version}` } };
Deno.writeTextFileSync("jsr/deno.json", JSON.stringify(config));
const subPaths = Object.keys(exports).filter((path) => path !== "./cli"); // a program, not a module
const lines = subPaths.map((path, at) => `export * as m${at} from "memwire${path.slice(1)}";\n`);
Deno.writeTextFileSync("jsr/every.js", lines.join(""));

assert.match(run("."), /\/node_modules\/memwire\/dist\/mod\.js\n$/);
assert.match(run("jsr"), /\/mod\.ts\n$/);

function run(folder: string): string {
  const args = ["run", "--check", "--no-prompt", "--allow-net", "main.ts", server];
  const { code, stdout, stderr } = new Deno.Command(Deno.execPath(), { args, cwd: folder })
    .outputSync();
  const text = new TextDecoder();
  assert.equal(code, 0, text.decode(stderr));
  return text.decode(stdout);
}
