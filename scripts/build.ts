// The release build: dist/main.js and one chunk per verb and shared part. `node scripts/build.ts [DIR]`.
// Prints nothing but errors; exports what tests need to look at the result.
import { chmodSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { type BuildResult, build } from "esbuild";

const top = resolve(import.meta.dirname, "..");

/** dist/ holds everything flat: host/native.ts finds the installation one directory above its own file. */
export async function buildTo(directory: string): Promise<BuildResult<{ metafile: true }>> {
  rmSync(directory, { recursive: true, force: true });
  const result = await build({
    absWorkingDir: top,
    // probe-inside is started as a program of its own, inside a network namespace.
    entryPoints: { main: "src/cli/main.ts", "probe-inside": "src/deploy/probe-inside.ts" },
    outdir: directory,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node24",
    chunkNames: "[name]-[hash]",
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "none",
    metafile: true,
    // A dependency that is CommonJS asks for node's own modules with require().
    banner: {
      js: 'import { createRequire as $createRequire } from "node:module"; const require = $createRequire(import.meta.url);',
    },
    logLevel: "error",
  });
  chmodSync(join(directory, "main.js"), 0o644);
  return result;
}

if (import.meta.main) await buildTo(resolve(process.argv[2] ?? join(top, "dist")));
