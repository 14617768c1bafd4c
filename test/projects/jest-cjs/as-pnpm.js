const { existsSync, mkdirSync, renameSync, symlinkSync } = require("node:fs");

// In the second Node run the package is there already.
const folder = "node_modules/.pnpm/memwire@0.0.0/node_modules";
if (!existsSync(folder)) {
  mkdirSync(folder, { recursive: true });
  renameSync("node_modules/memwire", `${folder}/memwire`);
  symlinkSync(".pnpm/memwire@0.0.0/node_modules/memwire", "node_modules/memwire");
}
