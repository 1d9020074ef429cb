// Does it fit on the target?
import { formatSize } from "../../base/units.ts";
import { finding, type Rule } from "../rule.ts";

export const sizes: Rule = {
  id: "sizes",
  title: "Size against free space",
  severity: "warning",
  check({ survey, target }) {
    const top = [...survey.directories]
      .filter(([path]) => path.split("/").length <= 3)
      .sort((a, b) => b[1] - a[1])
      .slice(0, 6)
      .map(([path, bytes]) => `${path}: ${formatSize(bytes)}`);
    const total = `${formatSize(survey.bytes)} in ${survey.files} files`;
    if (survey.bytes <= target.freeBytes * 0.8) {
      return [
        finding(sizes, "whole machine", [total, ...top], {
          effect: `everything would fit: ${formatSize(target.freeBytes)} are free at ${target.statePath}`,
          remedy: "nothing",
          severity: "note",
        }),
      ];
    }
    return [
      finding(sizes, "whole machine", [total, ...top], {
        effect: `${formatSize(target.freeBytes)} are free at ${target.statePath}: the whole machine may not fit`,
        remedy: "capture by evidence instead of the whole machine, or choose another place with --root",
      }),
    ];
  },
};
