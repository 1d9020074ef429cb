// Set-uid, set-gid and capability programs: they keep their bits in a package, but may be forbidden to use them.
import type { Finding } from "../assessment.ts";
import { finding, type Rule } from "../rule.ts";

/** What every distribution ships. */
const usual =
  /^(\/usr)?\/s?bin\/(su|sudo|sudoedit|passwd|chsh|chfn|newgrp|gpasswd|chage|expiry|mount|umount|ping6?|wall|write(\.ul)?|bsd-write|crontab|at|ssh-agent|unix_chkpwd|pam_timestamp_check|dotlockfile|mlocate|locate|fusermount3?|pkexec|sg|staprun|usernetctl|netreport|sendmail\S*|postdrop|postqueue|exim4|screen|newuidmap|newgidmap)$|\/(dbus-daemon-launch-helper|ssh-keysign|polkit-agent-helper-1|pt_chown|utempter|chrome-sandbox)$/;

export const setUid: Rule = {
  id: "set-uid",
  title: "Programs with raised privileges",
  severity: "note",
  check({ survey }) {
    const findings: Finding[] = [];
    for (const { path, mode } of survey.setId) {
      if (usual.test(path)) continue;
      findings.push(say(path, [`mode ${mode.toString(8).padStart(4, "0")}`]));
    }
    for (const path of survey.capabilities)
      if (!usual.test(path)) findings.push(say(path, ["file capabilities"]));
    return findings;
  },
};

function say(subject: string, evidence: string[]): Finding {
  return finding(setUid, subject, evidence, {
    effect: "the program runs with more rights than its caller; hosts that set no_new_privs take them away",
    remedy:
      "keep it only if the application needs it; tracing as an ordinary user would not see what it opens",
  });
}
