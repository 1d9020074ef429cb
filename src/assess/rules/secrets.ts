// Private keys and passwords: only where they are, never what they are.
import type { Finding } from "../assessment.ts";
import { finding, type Rule, type RuleContext } from "../rule.ts";

const assignment =
  /^[ \t]*[^#;\n]{0,200}?(?:pass(?:word|wd)?|secret|api[_-]?key|auth[_-]?token)["'\])]{0,3}[ \t]{0,8}(?:=>?|:|,)[ \t]{0,8}["']?[^\s"'$<{#;,]{4,}/im;
const commented =
  /^\/etc\/(pam\.d|security|login\.defs|adduser\.conf|deluser\.conf|nsswitch\.conf|pam\.conf|debconf\.conf|default\/(useradd|nss)|apparmor\.d|init\.d|bash_completion\.d|ssh\/ssh_config|selinux|mime\.types|services|logcheck|rc\w*\.d)\b/;

export const secrets: Rule = {
  id: "secrets",
  title: "Secrets",
  severity: "warning",
  async check(context) {
    const keys: Finding[] = [];
    for (const path of context.survey.secretLike) {
      const kind = await kindOf(context, path);
      if (kind !== undefined) keys.push(say(path, kind));
    }
    const known = new Set(context.survey.secretLike);
    for (const path of context.survey.configuration.slice(0, 3000)) {
      if (known.has(path) || commented.test(path)) continue;
      const text = (await context.source.text(path, 256 << 10)) ?? "";
      if (text.includes("PRIVATE KEY-----")) keys.push(say(path, "a private key"));
      else if (!text.includes("\0") && assignment.test(text))
        keys.push(say(path, "a password or token in the text"));
    }
    return keys;
  },
};

async function kindOf({ source }: RuleContext, path: string): Promise<string | undefined> {
  if (/\/(shadow|gshadow)$/.test(path))
    return path.startsWith("/etc/") ? "password hashes of users" : undefined;
  if (/\.(p12|pfx|jks|keystore|kdbx|keytab|ppk)$/.test(path)) return "a key store";
  const text = (await source.head(path, 64 << 10)) ?? "";
  if (text.includes("PRIVATE KEY")) return "a private key";
  if (/\.(pem|key)$/.test(path)) return undefined; // a certificate or a public key
  return text.trim() === "" ? undefined : "stored passwords";
}

function say(subject: string, what: string): Finding {
  // Whole files that are secrets stay out; a password inside of a configuration is part of that configuration.
  const inText = what.includes("in the text");
  return finding(secrets, subject, [what], {
    effect: inText
      ? "the file is configuration and is packed where it is used: whoever has the package can read the password"
      : "would be in every copy of the package; the plan leaves it out of the layers and asks for it at the start",
    remedy: inText
      ? "leave it out with --exclude and mount it at run time, or change the password after the move"
      : "deliver it with --secret PATH=FILE at run time; --keep-secret PATH puts it into the package",
    severity: /password hashes|ssh_host_/.test(`${what} ${subject}`) ? "note" : "warning",
  });
}
