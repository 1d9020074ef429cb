// Device nodes that programs hold open, raw partitions, serial lines, dongles.
import { processName } from "../../discover/processes.ts";
import type { Finding } from "../assessment.ts";
import { finding, type Rule } from "../rule.ts";

/** Every instance has these. */
const ordinary =
  /^\/dev\/(null|zero|full|random|urandom|tty|console|ptmx|pts(\/.*)?|shm(\/.*)?|mqueue(\/.*)?|log|std(in|out|err)|fd(\/.*)?|initctl|kmsg|hugepages(\/.*)?)$/;
const special =
  /\/dev\/(tty(S|USB|ACM|AMA)\d+|ipmi\d+|ipmi\/\d+|usb\/[\w/]+|bus\/usb[\w/]*|hidraw\d+|lp\d+|parport\d+|nvidia\w*|dri\/\w+|kvm|fuse|net\/tun|raw\/\w+|sg\d+|st\d+|nst\d+|watchdog\d*|mem|rtc\d*)\b/g;
const dongle = /\b(hasplmd|aksusbd|hasp|sentinel|hardlock|wibu|codemeter|CodeMeterLin|akshasp|ubd|flexid)\b/i;

export const devices: Rule = {
  id: "devices",
  title: "Devices",
  severity: "warning",
  async check({ inventory, survey, source }) {
    const uses = new Map<string, string[]>();
    const use = (device: string, by: string): void => {
      const list = uses.get(device) ?? [];
      if (!list.includes(by)) uses.set(device, [...list, by]);
    };
    for (const process of inventory.processes.filter((each) => each.sameNamespaces)) {
      for (const path of [...process.openFiles, ...process.files]) {
        if (path.startsWith("/dev/") && !ordinary.test(path))
          use(path, `process ${process.pid} ${processName(process)}`);
      }
    }
    for (const path of survey.devices) use(path, "a device node outside /dev");
    for (const mount of inventory.fileSystems.configured)
      if (mount.type === "raw" || mount.options.includes("raw")) use(mount.source, "/etc/fstab");
    for (const path of survey.configuration
      .filter(
        (each) =>
          !/^\/etc\/(inittab|securetty|udev|modprobe\.d|init\.d|apparmor\.d|systemd|lvm|default\/(grub|console))/.test(
            each,
          ),
      )
      .slice(0, 3000)) {
      for (const match of ((await source.text(path, 256 << 10)) ?? "").matchAll(special)) {
        const line = match.input.slice(match.input.lastIndexOf("\n", match.index) + 1, match.index);
        if (!/^\s*[#;]/.test(line)) use(match[0], path);
      }
    }
    const findings = [...uses].map(([device, by]) => say(device, by));
    for (const service of inventory.services.filter(
      (each) => dongle.test(each.name) || dongle.test(each.program),
    )) {
      findings.push(say(`licence dongle (${service.name})`, service.from));
    }
    return findings;
  },
};

function say(subject: string, evidence: readonly string[]): Finding {
  return finding(devices, subject, evidence, {
    effect: "an instance has no such device unless it is given one",
    remedy: "attach the device to the target and pass it to the instance, or reach it over the network",
  });
}
