// The release build. `node scripts/build.ts [DIR]`: dist/main.js and one chunk per verb and shared part; dist/start.cjs, the way
// in, and dist/hot.cjs, all that the verbs need that are called in loops. Prints nothing but errors; exports what tests look at.
import { execFileSync } from "node:child_process";
import { chmodSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { type BuildOptions, type BuildResult, build } from "esbuild";

const top = resolve(import.meta.dirname, "..");

const common = {
  absWorkingDir: top,
  bundle: true,
  platform: "node",
  target: "node24",
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: "none",
  metafile: true,
  logLevel: "error",
} as const satisfies BuildOptions;

type Built = BuildResult<{ metafile: true }>;

/** dist/ holds everything flat: host/native.ts finds the installation one directory above its own file. */
export async function buildTo(directory: string): Promise<Built & { hot: Built }> {
  rmSync(directory, { recursive: true, force: true });
  const result = await build({
    ...common,
    // probe-inside is started as a program of its own, inside a network namespace.
    entryPoints: { main: "src/cli/main.ts", "probe-inside": "src/deploy/probe-inside.ts" },
    outdir: directory,
    splitting: true,
    format: "esm",
    chunkNames: "[name]-[hash]",
    // A dependency that is CommonJS asks for node's own modules with require().
    banner: {
      js: 'import { createRequire as $createRequire } from "node:module"; const require = $createRequire(import.meta.url);',
    },
  });
  // CommonJS and unsplit: Node's loader of ES modules alone costs as much as a short verb.
  const script = {
    ...common,
    outdir: directory,
    outExtension: { ".js": ".cjs" },
    format: "cjs",
    define: { "import.meta.dirname": "__dirname" },
  } as const satisfies BuildOptions;
  await build({ ...script, entryPoints: { start: "src/cli/start.ts" } });
  const hot = await build({
    ...script,
    entryPoints: { hot: "src/cli/hot.ts" },
    // A script that V8 compiled ahead cannot import(), only require().
    supported: { "dynamic-import": false },
    // The function that start.ts calls.
    banner: { js: "(function (require, __dirname, $whole) {" },
    footer: { js: "})" },
  });
  for (const name of ["main.js", "hot.cjs", "start.cjs"]) chmodSync(join(directory, name), 0o644);
  compileAhead(directory);
  return { ...result, hot };
}

/**
 * hot.bin: what V8 makes of hot.cjs, every function of it, so that nothing is compiled at start. It fits one version of Node and its
 * flags, which V8 itself checks; start.cjs compiles the source where it does not fit.
 */
function compileAhead(directory: string): void {
  const program = `
    const { readFileSync, writeFileSync } = require("node:fs");
    const { Script } = require("node:vm");
    const { setFlagsFromString } = require("node:v8");
    const [source, target] = process.argv.slice(1);
    setFlagsFromString("--no-lazy");
    const script = new Script(readFileSync(source, "latin1"), { filename: source });
    setFlagsFromString("--lazy");
    writeFileSync(target, script.createCachedData(), { mode: 0o644 });`;
  const words = [join(directory, "hot.cjs"), join(directory, "hot.bin")];
  execFileSync(process.execPath, ["--disable-warning=ExperimentalWarning", "-e", program, ...words]);
}

if (import.meta.main) await buildTo(resolve(process.argv[2] ?? join(top, "dist")));
