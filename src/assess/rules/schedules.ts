// Jobs that run by the clock: a package of a service does not carry them unless they are declared.
import { finding, type Rule } from "../rule.ts";

/** What the distribution itself schedules for its own upkeep. */
const upkeep =
  /(\b(run-parts|e2scrub\w*|apt-daily\S*|apt-compat|dpkg-db-backup|dpkg|man-db|fstrim|logrotate|mlocate|updatedb|plocate|popularity-contest|sysstat|mdadm|checkarray|passwd|anacron|0anacron|motd-news|systemd-tmpfiles-clean|unbound-anchor|makewhatis\S*|tmpwatch|prelink|rhsmd|rkhunter|aptitude|bsdmainutils|apport|update-notifier\S*|raid-check|hourly|0hourly|podman-auto-update|exim4-base|debsums|cracklib-runtime)(\.cron|\.sh)?\b)/;

export const schedules: Rule = {
  id: "schedules",
  title: "Scheduled jobs",
  severity: "warning",
  check({ inventory }) {
    return inventory.schedules
      .filter((each) => !upkeep.test(each.command) && !upkeep.test(each.service))
      .map((each) =>
        finding(
          schedules,
          each.command || each.service || (each.from[0] ?? each.kind),
          [`${each.kind}: ${each.when} as ${each.user}`, ...each.from],
          {
            effect:
              "cron entries and timers that no installed package brought come along with captured services; other jobs do not",
            remedy:
              "look at the schedules of the plan; declare there what is missing, or run it from the target's own clock",
            severity: each.kind === "at" ? "note" : "warning",
          },
        ),
      );
  },
};
