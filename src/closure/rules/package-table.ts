// Installed packages that a Depends field alone does not bring into a package of ours, each with its reason.
import type { InstalledPackage } from "../installed.ts";

interface TableLine {
  names: RegExp;
  because: string;
  /** Where one of its files is used, that file alone is taken, not the rest. */
  onlyTouched?: boolean;
}

const kernel = "kernel and boot: a package carries neither";
const installer = "serves installation and configuration of packages, nothing at run time";
const init = "service manager of the machine: in the package, services are started by our init";
const admin = "administration of the machine itself";

const table: readonly TableLine[] = [
  { names: /^linux-(image|headers|modules|base|firmware)/, because: kernel, onlyTouched: true },
  {
    names:
      /^(kernel(-(core|modules.*|devel|headers|default.*|PAE|xen|debug.*|tools.*))?|linux-firmware.*|microcode_ctl|ucode-.*)$/,
    because: kernel,
    onlyTouched: true,
  },
  {
    names: /^(grub2-.*|grubby|mkinitrd|dracut-.*|efibootmgr|os-prober|plymouth.*)$/,
    because: kernel,
    onlyTouched: true,
  },
  {
    names:
      /^(rpm|rpm-(libs|plugin.*|config-.*)|librpm.*|yum|yum-.*|dnf|dnf-.*|python3?-(rpm|dnf|hawkey|libdnf)|libdnf|libsolv.*|librepo|libzypp|zypper.*|createrepo_c.*|subscription-manager.*)$/,
    because: installer,
    onlyTouched: true,
  },
  {
    names:
      /^(systemd-(udev|pam|container|resolved|networkd|sysvinit|boot.*|rpm-macros)|chkconfig|SysVinit|sysvinit-tools|aaa_base|upstart-.*)$/,
    because: init,
    onlyTouched: true,
  },
  { names: /^shadow(-utils)?$/, because: "accounts are already made: they are in passwd and group" },
  {
    names:
      /^(dhclient|NetworkManager.*|firewalld.*|selinux-policy.*|policycoreutils.*|audit|kexec-tools|polkit.*)$/,
    because: admin,
  },
  { names: /^(man-pages.*|man|texinfo)$/, because: "documentation" },
  {
    names: /^(initramfs-tools.*|dracut.*|grub.*|shim-.*|os-prober|kmod|firmware-.*|.*-dkms|dkms)$/,
    because: kernel,
    onlyTouched: true,
  },
  { names: /^(intel|amd64)-microcode$/, because: kernel, onlyTouched: true },
  {
    names: /^(dpkg|apt|apt-utils|aptitude|libapt-pkg.*|apt-transport-https|gpgv|debian-archive-keyring)$/,
    because: installer,
    onlyTouched: true,
  },
  {
    names: /^(debconf.*|cdebconf.*|ucf|po-debconf|debianutils-dbg|dpkg-dev|dselect|tasksel.*)$/,
    because: installer,
    onlyTouched: true,
  },
  { names: /^(adduser|passwd)$/, because: "accounts are already made: they are in passwd and group" },
  {
    names: /^(systemd|systemd-sysv|systemd-timesyncd|libpam-systemd|libnss-systemd|udev|dbus-user-session)$/,
    because: init,
    onlyTouched: true,
  },
  {
    names: /^(init|init-system-helpers|sysvinit-core|sysv-rc|initscripts|insserv|upstart|runit.*|startpar)$/,
    because: init,
  },
  { names: /^(mount|fdisk|e2fsprogs|logsave|lvm2|mdadm|dmsetup|parted|util-linux-extra)$/, because: admin },
  {
    names: /^(login|sudo|policykit-1|polkitd|ifupdown|isc-dhcp-client|nftables|iptables)$/,
    because: admin,
  },
  {
    names: /^(man-db|manpages.*|groff-base|install-info|info|doc-base|tex-common)$/,
    because: "documentation",
  },
  { names: /^(gcc-\d+-base|libc-l10n)$/, because: "holds documentation only" },
  {
    names:
      /^(gcc|g\+\+|cpp|make|libc6-dev|libc-dev-bin|linux-libc-dev|.*-dev|.*-devel|glibc-headers)(-[\d.]+)?$/,
    because: "for building, not for running",
  },
];

/** Why a dependency is left out; undefined where it is followed. */
export function leftOutAsDependency(name: string, one: InstalledPackage | undefined): string | undefined {
  if (one?.section.replace(/^.*\//, "") === "doc") return "documentation";
  return table.find((line) => line.names.test(name))?.because;
}

/** Why a used file of this installed package does not bring its other files. */
export function onlyTouchedFiles(name: string): string | undefined {
  return table.find((line) => line.onlyTouched === true && line.names.test(name))?.because;
}
