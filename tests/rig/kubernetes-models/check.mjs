// Checks the objects in files of YAML offline, in two ways, since each sees what the other does not:
//   validate() of their models: types and required fields; unknown fields pass
//   the models' types, by tsc: an unknown field is an error
// Usage: node check.mjs FOLDER_WITH_NODE_MODULES FILE... (in that folder; FILE.ts is written); prints what is wrong, and ends with 1 then.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [folder, ...files] = process.argv.slice(2);
const require = createRequire(join(folder, "package.json"));
const { parseAllDocuments } = require("yaml");

function moduleOf(version) {
  if (version.startsWith("keda.sh/")) return "@kubernetes-models/keda/" + version;
  if (version.startsWith("cert-manager.io/")) return "@kubernetes-models/cert-manager/" + version;
  return "kubernetes-models/" + version;
}

const problems = [];
let count = 0;
for (const file of files) {
  let typed = "";
  for (const parsed of parseAllDocuments(readFileSync(file, "utf8"))) {
    problems.push(...parsed.errors.map((error) => `${file}: ${error.message}`));
    const object = parsed.toJS();
    if (!object) continue;
    const name = `${object.kind} ${object.metadata?.name}`;
    const from = moduleOf(object.apiVersion);
    try {
      new (require(from)[object.kind])(object).validate();
    } catch (error) {
      problems.push(`${file}: ${name}: ${error.message}`);
    }
    typed += `import type { I${object.kind} as T${count} } from "${from}";\n`;
    typed += `export const ${object.kind}_${String(object.metadata?.name).replace(/\W/g, "_")}_${count}: T${count} = ${JSON.stringify(object, null, 1)};\n`;
    ++count;
  }
  writeFileSync(file + ".ts", typed);
}
const tsc = spawnSync(
  process.execPath,
  [require.resolve("typescript/bin/tsc"), "--noEmit", "--strict", "--skipLibCheck", "--target", "es2020", "--module", "commonjs", ...files.map((file) => file + ".ts")],
  { cwd: folder, encoding: "utf8" },
);
if (tsc.status !== 0) problems.push(tsc.stdout + tsc.stderr);
if (problems.length) {
  console.log(problems.join("\n"));
  process.exit(1);
}
console.log(`${count} objects`);
