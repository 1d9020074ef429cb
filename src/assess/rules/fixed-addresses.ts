// The machine's own addresses written into configuration: they stop working when the address changes.
import { finding, type Rule } from "../rule.ts";

/** Files that give the machine its address are no finding. */
const network =
  /^\/etc\/(network\/|netplan\/|sysconfig\/network|systemd\/network\/|NetworkManager\/|hosts$|resolv\.conf|issue)/;

export const fixedAddresses: Rule = {
  id: "fixed-addresses",
  title: "Own addresses in configuration",
  severity: "warning",
  async check({ inventory, survey, source }) {
    const addresses = inventory.identity.addresses;
    if (addresses.length === 0) return [];
    const uses = new Map<string, string[]>();
    for (const path of survey.configuration.filter((each) => !network.test(each)).slice(0, 3000)) {
      const text = (await source.text(path, 256 << 10)) ?? "";
      for (const match of text.matchAll(/(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])/g)) {
        const list = uses.get(match[0]) ?? [];
        if (addresses.includes(match[0]) && !list.includes(path)) uses.set(match[0], [...list, path]);
      }
    }
    return [...uses].map(([address, paths]) =>
      finding(fixedAddresses, address, paths, {
        effect:
          "the instance has another address: programs cannot bind this one, and connections to it go to the old machine",
        remedy: `redirect it (--connect ${address}:PORT=127.0.0.1:PORT), or replace it by a name`,
      }),
    );
  },
};
