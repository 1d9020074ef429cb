// --filter of the verbs of volumes.
import { TranshipError } from "../../base/errors.ts";
import type { Volume } from "../../runtime/volumes/list.ts";

const keys = ["dangling", "name", "label", "driver"];

export function volumeFilter(entry: string): (volume: Volume) => boolean {
  const cut = entry.indexOf("=");
  const key = entry.slice(0, Math.max(cut, 0));
  const value = entry.slice(cut + 1);
  if (!keys.includes(key)) {
    throw new TranshipError("E_USAGE", `not a filter: ${JSON.stringify(entry)}`, {
      hint: `write KEY=VALUE, where KEY is one of ${keys.join(", ")}`,
    });
  }
  switch (key) {
    case "dangling":
      return (volume) => (volume.users.length === 0) === /^(1|true)$/i.test(value);
    case "name":
      return (volume) => volume.name.includes(value);
    case "driver":
      return () => value === "local";
    default: {
      const at = value.indexOf("=");
      if (at < 0) return (volume) => volume.labels[value] !== undefined;
      return (volume) => volume.labels[value.slice(0, at)] === value.slice(at + 1);
    }
  }
}
