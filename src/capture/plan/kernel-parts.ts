// What never enters a package: the kernel and everything that belongs to booting it. image/verify.ts holds packages against the same rules, and looks into files too.
import type { ByteString } from "../../formats/entry.ts";
import { kernelPartByPath } from "../../formats/kernel-part.ts";

/** What configures booting and modules: no part of a kernel, and of no use without one. */
const bootConfiguration =
  /^\/((usr\/)?lib\/modprobe\.d\/|etc\/(modprobe\.d|modules-load\.d|initramfs-tools|grub\.d|dracut\.conf\.d)\/|etc\/default\/grub$|usr\/src\/linux|boot$|(usr\/)?lib\/(modules|firmware)$)/;

export function isKernelPart(path: ByteString): boolean {
  return bootConfiguration.test(path) || kernelPartByPath(path, "file") !== undefined;
}

/** Things that live only while a system runs, or that every target has of its own. */
const volatilePaths =
  /^\/(proc|sys|dev)\/.|^\/(run|var\/run|tmp|var\/tmp|var\/lock|run\/lock)\/.|^\/(swapfile|swap\.img)$|^\/var\/cache\/(apt|debconf|man|ldconfig)\/.|^\/var\/lib\/(apt\/lists|systemd|dpkg\/updates)\/.|^\/etc\/(mtab|fstab|resolv\.conf)$|^\/\.tranship(\/|$)|^\/var\/log\/.*[^/]$/;

/** The reason to leave a path out whatever the evidence says; undefined where it may be packed. */
export function neverPacked(path: ByteString, isDirectory: boolean): string | undefined {
  if (isKernelPart(path)) return "part of the kernel or of booting it";
  if (volatilePaths.test(path) && !(isDirectory && !/^\/(proc|sys|dev|\.tranship)\/?/.test(path)))
    return "lives only while the old system runs";
  return undefined;
}
