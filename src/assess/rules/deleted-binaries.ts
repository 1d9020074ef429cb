// Programs whose file was replaced or removed while they run: the disk no longer holds what runs.
import { processName } from "../../discover/processes.ts";
import { finding, type Rule } from "../rule.ts";

export const deletedBinaries: Rule = {
  id: "deleted-binaries",
  title: "Running from deleted files",
  severity: "warning",
  check({ inventory }) {
    return inventory.processes
      .filter(
        (each) =>
          each.sameNamespaces &&
          (each.executableDeleted || each.deletedFiles.some((path) => /\.so(\.|$)/.test(path))),
      )
      .map((each) =>
        finding(
          deletedBinaries,
          `${processName(each)} (process ${each.pid})`,
          [...(each.executableDeleted ? [each.executable] : []), ...each.deletedFiles],
          {
            effect:
              "what runs is not what is on the disk: after an update without restart, or the file is gone for good",
            remedy: "restart the program before the capture and see that it still works",
          },
        ),
      );
  },
};
