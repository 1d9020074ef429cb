// What a capture of a whole machine leaves out: the parts of a system below the applications, and what every system makes anew.
// One line, one reason; docs/guide/capture.md shows them to the user.
import { deviceName, harmlessDevices } from "../../formats/device.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { neverPacked } from "./kernel-parts.ts";

interface MachineRule {
  /** Of the path itself. */
  pattern: RegExp;
  because: string;
  /** Directories stay, with their owners: what is missing in them is made anew by whoever needs it. */
  directoriesStay?: boolean;
}

const kernel = "part of the kernel or of booting it";
const hardware = "hardware configuration: the target has its own";
const lists = "package list, fetched anew by the package manager";
const cache = "cache, made anew when it is needed";

const rules: readonly MachineRule[] = [
  { pattern: /^\/(boot|efi)\/./, because: kernel },
  { pattern: /^\/(usr\/)?lib\/(modules|firmware|modules-load\.d|modprobe\.d|dracut|grub)(\/|$)/, because: kernel },
  { pattern: /^\/(usr\/share|etc|var\/lib)\/(initramfs-tools|grub|grub\.d|dracut\.conf\.d)(\/|$)/, because: kernel },
  { pattern: /^\/(vmlinu[xz]|initrd)[^/]*$/, because: kernel },
  { pattern: /^\/etc\/(fstab|crypttab|mdadm(\.conf)?|lvm|multipath(\.conf)?|iscsi)(\/|$)/, because: hardware },
  { pattern: /^\/etc\/(mdadm|lvm|dmraid)\/./, because: hardware },
  { pattern: /^\/etc\/udev\/(rules\.d\/[^/]*(persistent|net|hwaddr)[^/]*|hwdb\.bin)$/, because: hardware },
  { pattern: /^\/etc\/network\/(interfaces|interfaces\.d\/.*|run)$/, because: "network interfaces of the old hardware" },
  {
    pattern: /^\/etc\/(netplan|systemd\/network|NetworkManager\/system-connections|sysconfig\/network-scripts\/(ifcfg|route)-)./,
    because: "network interfaces of the old hardware",
  },
  { pattern: /^\/etc\/(X11\/xorg\.conf|default\/(grub|keyboard|console-setup)|vconsole\.conf|adjtime)$/, because: hardware },
  { pattern: /^\/var\/lib\/(apt\/lists|dpkg\/(updates|triggers\/Lock))\/./, because: lists },
  { pattern: /^\/var\/lib\/(yum\/(repos|yumdb|history)|dnf|PackageKit|update-notifier|command-not-found)\/./, because: lists },
  { pattern: /^\/var\/cache\/(apt|apt-xapian-index|debconf|dnf|yum|zypp|PackageKit|man|ldconfig|fontconfig|app-info|swcatalog)\/./, because: cache, directoriesStay: true },
  { pattern: /^\/var\/cache\/(apt|dnf|yum|zypp)\/./, because: cache },
  { pattern: /^\/(root|home\/[^/]+)\/\.(cache|npm\/_cacache|thumbnails|local\/share\/Trash)\/./, because: cache },
  { pattern: /^\/var\/log\/./, because: "log of the old machine", directoriesStay: true },
  { pattern: /^\/var\/(crash|lib\/(systemd\/coredump|apport\/coredump))\/./, because: "memory dump of a crash" },
  { pattern: /^\/var\/lib\/(systemd|udev|dhcp|dhclient|NetworkManager|urandom)\/./, because: "state of the old system's boot" },
  { pattern: /^\/(var\/tmp|lost\+found|[^/]+\/lost\+found)\/./, because: "temporary file" },
  { pattern: /\/(\.nfs[0-9a-f]{16,}|lost\+found)$/, because: "temporary file" },
  { pattern: /^\/(swapfile|swap\.img|\.swapfile|swap)$/, because: "swap file" },
]; // biome-ignore format: a table

/** Directories that are kept empty: their content lives only while a system runs. A walk does not enter them. */
export const emptyDirectories: readonly ByteString[] = [
  "/proc",
  "/sys",
  "/dev",
  "/run",
  "/tmp",
  "/.tranship",
];

/** Why a path of a whole machine stays behind; undefined where it is taken. */
export function leftBehind(entry: Entry): string | undefined {
  const { path, kind } = entry;
  if (kind === "socket") return "a socket of a program that ran";
  const device = deviceName(entry);
  if (device !== undefined && !harmlessDevices.has(device)) return "device node: the target makes its own";
  const isDirectory = kind === "directory";
  const rule = rules.find((one) => one.pattern.test(path) && !(isDirectory && one.directoriesStay === true));
  return rule?.because ?? neverPacked(path, isDirectory);
}
