// Where a path leads in an instance, name by name and link by link: to something, or to the first name that is not there.
import type { ByteString, Entry } from "../../formats/entry.ts";

/** As Linux has it: more links than this are a loop. */
const maxLinks = 40;

export interface Walked {
  /** Canonical: of what the path names, or of the first that is absent on the way. */
  readonly path: ByteString;
  /** undefined: nothing has that name. */
  readonly entry: Entry | undefined;
  /** What is wanted behind an absent `path`: "" or "/name/...". */
  readonly rest: ByteString;
}

export interface WalkRequest {
  readonly path: ByteString;
  /** What links and ".." cannot leave: "" or a directory that `path` begins with. */
  readonly root: ByteString;
  /** Whether a link in the last place is followed. */
  readonly follow: boolean;
  stat(path: ByteString): Promise<Entry | undefined>;
}

/** undefined where the path can lead nowhere: a loop, or a file in the place of a directory. */
export async function walkTo(request: WalkRequest): Promise<Walked | undefined> {
  const { root } = request;
  const inside = root === "" || request.path.startsWith(`${root}/`) || request.path === root;
  const top = inside ? names(root) : [];
  const done = [...top];
  const wanted = names(inside ? request.path.slice(root.length) : request.path).reverse();
  let links = 0;
  let entry = await request.stat(`/${done.join("/")}`);
  for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
    if (entry?.kind !== "directory") return undefined;
    if (name === "..") {
      if (done.length > top.length) done.pop();
      entry = await request.stat(`/${done.join("/")}`);
      continue;
    }
    const path = `/${[...done, name].join("/")}`;
    const found = await request.stat(path);
    if (found === undefined) {
      const rest = wanted.reverse().map((one) => `/${one}`);
      return { path, entry: undefined, rest: rest.join("") };
    }
    if (found.kind !== "symlink" || (wanted.length === 0 && !request.follow)) {
      done.push(name);
      entry = found;
      continue;
    }
    if (++links > maxLinks) return undefined;
    if (found.target.startsWith("/")) {
      done.splice(0, done.length, ...top);
      entry = await request.stat(`/${done.join("/")}`);
    }
    wanted.push(...names(found.target).reverse());
  }
  return { path: `/${done.join("/")}`, entry, rest: "" };
}

function names(path: ByteString): ByteString[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}
