// What could not be looked at: an assessment must not be silent about it.
import { finding, type Rule } from "../rule.ts";

export const unreadable: Rule = {
  id: "unreadable",
  title: "Not readable",
  severity: "warning",
  check({ survey, inventory, source }) {
    const findings = [];
    if (survey.unreadableCount > 0) {
      const paths = survey.unreadable.map((each) => `${each.path}: ${each.error}`);
      findings.push(
        finding(unreadable, `${survey.unreadableCount} paths`, paths, {
          effect: "these paths were not assessed and cannot be captured",
          remedy: "run as root; check the disk where the error is EIO",
        }),
      );
    }
    if (!inventory.installed.readable) {
      findings.push(
        finding(unreadable, "installed packages", inventory.installed.from, {
          effect: `the ${inventory.installed.database} database cannot be read: no file can be told from its installed package`,
          remedy: "capture by tracing (capture run, capture process) instead of capture installed",
        }),
      );
    }
    const notes = [...inventory.notes, ...source.notes];
    if (notes.length > 0) {
      findings.push(
        finding(
          unreadable,
          `${notes.length} notes`,
          notes.map((note) => `${note.subject}: ${note.text}`),
          {
            effect: "parts of the inventory were cut or are not understood",
            remedy: "look at these files by hand",
            severity: "note",
          },
        ),
      );
    }
    return findings;
  },
};
