// Files that are not on the machine at all.
import { networkTypes } from "../../discover/file-systems.ts";
import { finding, type Rule } from "../rule.ts";

export const networkFileSystems: Rule = {
  id: "network-file-systems",
  title: "Network file systems and automounts",
  severity: "warning",
  check({ inventory }) {
    const { mounted, configured, automounts } = inventory.fileSystems;
    const mounts = new Map(
      [...configured, ...mounted]
        .filter((mount) => networkTypes.test(mount.type))
        .map((mount) => [mount.mountPoint, mount]),
    );
    const findings = [...mounts.values()].map((mount) =>
      finding(networkFileSystems, mount.mountPoint, [`${mount.type} from ${mount.source}`, ...mount.from], {
        effect: "its files are on another machine: they are not captured, and an instance does not see them",
        remedy: "mount it on the target and give it to the instance as a volume, or copy what is needed",
      }),
    );
    for (const path of automounts) {
      findings.push(
        finding(networkFileSystems, path, ["autofs"], {
          effect: "directories below it appear when they are used; an instance has no automounter",
          remedy: "mount what is needed on the target and give it to the instance as a volume",
        }),
      );
    }
    return findings;
  },
};
