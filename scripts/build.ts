// The release build. `node scripts/build.ts [DIR]`: dist/main.js and one chunk per verb and shared part; dist/start.cjs, the way
// in, dist/run.cjs, all that `run` needs, and dist/hot.cjs, all that the verbs need that are called in loops. Prints nothing but errors; exports what tests look at.
import { execFileSync } from "node:child_process";
import { chmodSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { type BuildOptions, type BuildResult, build, type Plugin } from "esbuild";

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
export async function buildTo(directory: string): Promise<Built & { hot: Built; run: Built }> {
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
  const compiled = {
    ...script,
    // A script that V8 compiled ahead cannot import(), only require().
    supported: { "dynamic-import": false },
    // The function that start.ts calls.
    banner: { js: "(function (require, __dirname, $whole) {" },
    footer: { js: "})" },
  } as const satisfies BuildOptions;
  const hot = await build({
    ...compiled,
    entryPoints: { hot: "src/cli/hot.ts" },
    plugins: [leftOutOf(/\/(package\/compiled|pull-first)\.ts$/)],
  });
  const run = await build({
    ...compiled,
    entryPoints: { run: "src/cli/hot-run.ts" },
    plugins: [leftOutOf(/^\./)],
    // Less to read; the names in a stack are worth less here than a millisecond.
    minifyIdentifiers: true,
  });
  for (const name of ["main.js", "hot.cjs", "run.cjs", "start.cjs"]) chmodSync(join(directory, name), 0o644);
  for (const name of ["hot", "run"]) compileAhead(directory, name);
  return { ...result, hot, run };
}

/**
 * What is imported only when it is needed is no part of run.cjs, but for the verb itself (hot-run.ts), and what brings modules of others
 * along is no part of hot.cjs (hot.ts).
 */
function leftOutOf(filter: RegExp): Plugin {
  return {
    name: "left-out",
    setup(builder) {
      builder.onResolve({ filter }, ({ kind, path, importer }) =>
        kind === "dynamic-import" && !importer.includes("/src/cli/table/")
          ? { path: `left-out:${path}`, external: true }
          : undefined,
      );
    },
  };
}

/**
 * hot.bin, run.bin: what V8 makes of hot.cjs and run.cjs, every function of it, so that nothing is compiled at start. It fits one version of Node and its
 * flags, which V8 itself checks; start.cjs compiles the source where it does not fit.
 */
function compileAhead(directory: string, name: string): void {
  const program = `
    const { readFileSync, writeFileSync } = require("node:fs");
    const { Script } = require("node:vm");
    const { setFlagsFromString } = require("node:v8");
    const [source, target] = process.argv.slice(1);
    setFlagsFromString("--no-lazy");
    const script = new Script(readFileSync(source, "latin1"), { filename: source });
    setFlagsFromString("--lazy");
    writeFileSync(target, script.createCachedData(), { mode: 0o644 });`;
  const words = [join(directory, `${name}.cjs`), join(directory, `${name}.bin`)];
  execFileSync(process.execPath, ["--disable-warning=ExperimentalWarning", "-e", program, ...words]);
}

if (import.meta.main) await buildTo(resolve(process.argv[2] ?? join(top, "dist")));
