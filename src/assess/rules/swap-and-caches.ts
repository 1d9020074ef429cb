// Swap files, core dumps and caches: large, and worth nothing in a package.
import { formatSize } from "../../base/units.ts";
import { finding, type Rule } from "../rule.ts";

export const swapAndCaches: Rule = {
  id: "swap-and-caches",
  title: "Swap files, core dumps, caches",
  severity: "note",
  check({ survey }) {
    return [...survey.swapLike, ...survey.caches].map(({ path, bytes }) =>
      finding(swapAndCaches, path, [formatSize(bytes)], {
        effect: "would make the package larger and is of no use in it",
        remedy: "leave it out: the standard exclusions do, see the plan",
      }),
    );
  },
};
