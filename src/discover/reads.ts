// What discover reads, as patterns: shown by --dry-run before a far machine is touched. A test holds every path that a discover asks for
// against this list. * stands for any part of a name, ** for any path.

export interface Read {
  path: string;
  what: string;
}

export const discoverReads: readonly Read[] = [
  { path: "/etc", what: "names of configuration files" },
  {
    path: "/etc/**",
    what: "configuration: system, services, schedules, users, network, data bases, web servers",
  },
  {
    path: "/{bin,sbin,usr/bin,usr/sbin}/*",
    what: "first bytes of programs that services name; where links lead",
  },
  { path: "/{lib,usr/lib,usr/local/lib,run}/systemd/**", what: "units" },
  { path: "/{lib,usr/lib}/systemd", what: "units" },
  { path: "/{boot,lib/modules,usr/lib/modules}", what: "names of kernels" },
  { path: "/{service,etc/service,etc/sv}/**", what: "supervised services" },
  { path: "/{service,init}", what: "supervised services" },
  { path: "/var/spool/{cron,at}/**", what: "schedules" },
  { path: "/var/spool/{cron,at}", what: "schedules" },
  { path: "/var/lib/{dpkg,rpm,dbus}/**", what: "installed packages; the machine's id" },
  { path: "/var/lib/{pgsql,tomcat*}/**", what: "configuration beside data: PostgreSQL, Tomcat" },
  { path: "/{opt,usr/share,usr/local}/{tomcat*,apache2}/conf/*", what: "configuration: Tomcat, Apache" },
  { path: "/lib/apk/**", what: "installed packages" },
  { path: "/usr/lib/{os-release,sysimage/**}", what: "system; installed packages" },
  { path: "/proc/**", what: "running programs, their files, sockets and mounts" },
  { path: "/proc", what: "running programs" },
  { path: "/sys/class/net/**", what: "network cards" },
  { path: "/sys/class/net", what: "network cards" },
  { path: "/sys/class/dmi/id/*", what: "maker, product and serial numbers of the machine" },
  { path: "/sys/class/dmi/id", what: "maker, product and serial numbers of the machine" },
];

/** Of assess and of every capture: which files, their content decides. */
export const everythingRead: readonly Read[] = [
  {
    path: "/**",
    what: "names, owners, sizes, times and attributes of every file; text and headers of programs, libraries, scripts, configuration and keys",
  },
];

/** Of a capture, beyond that. */
export const contentRead: readonly Read[] = [
  {
    path: "/**",
    what: "the content of every file that the plan names: --plan-only reads the machine, but fetches none of it",
  },
];
