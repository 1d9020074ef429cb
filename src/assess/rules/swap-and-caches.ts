// Swap files, core dumps and caches: large, and worth nothing in a package.
import { formatSize } from "../../base/units.ts";
import type { Finding } from "../assessment.ts";
import { finding, type Rule } from "../rule.ts";
import type { SizedPath } from "../survey.ts";

export const swapAndCaches: Rule = {
  id: "swap-and-caches",
  title: "Swap files, core dumps, caches",
  severity: "note",
  check({ survey }) {
    const caches = Map.groupBy(survey.caches, ({ path }) => path.split("/").slice(0, 4).join("/"));
    return [
      ...survey.swapLike.map((each) => say(each.path, [each])),
      ...[...caches].map(([directory, files]) =>
        say(files.length === 1 ? (files[0]?.path ?? directory) : directory, files),
      ),
    ];
  },
};

function say(subject: string, files: readonly SizedPath[]): Finding {
  const largest = [...files].sort((a, b) => b.bytes - a.bytes);
  const evidence = largest.map(({ path, bytes }) =>
    files.length === 1 ? formatSize(bytes) : `${path}: ${formatSize(bytes)}`,
  );
  return finding(swapAndCaches, subject, evidence, {
    effect: "would make the package larger and is of no use in it",
    remedy: "leave it out (--exclude); the plan shows whether it is in",
  });
}
