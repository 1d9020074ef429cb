// What to do about each error code; with errorCodes the source of docs/reference/errors.md.
import type { ErrorCode } from "../../base/errors.ts";

export const advice: Record<ErrorCode, string> = {
  E_USAGE: "Read the hint, or `tranship VERB --help`, which shows examples first.",
  E_INTERNAL:
    "Nothing that you did should lead here. Run the command again with --log-level debug and attach what `tranship support-bundle` collects.",
  E_INTERRUPTED: "Run the command again; it starts from a clean state.",
  E_NEEDS_ROOT: "Run the command as root. `tranship doctor` names the capability that is missing.",
  E_TOOL_MISSING:
    "Install the named program; scripts/setup installs all that Tranship needs on Debian and Ubuntu.",
  E_TOOL_FAILED:
    "The message holds the last lines of the program. Where it names the host's configuration, mend that; `tranship doctor` checks the usual causes.",
  E_NATIVE_MISSING: "Run scripts/setup, or `make -C native` where a C compiler and musl-tools are installed.",
  E_PROTOCOL:
    "A helper of another version than the tool, or a damaged file. Rebuild with scripts/setup; if it stays, report it.",
  E_STATE_BUSY:
    "Wait for the command that is named, or stop it. The lock of a process that died is taken over by itself.",
  E_STATE_VERSION: "Use the newer Tranship, or another state root with --root.",
  E_STATE_CORRUPT:
    "Move the named file away; `tranship doctor` says what can be made again. Images are verified with `tranship verify`.",
  E_NO_SPACE:
    "Free space on the file system that is named, or choose another one with --root. What was half written has been removed.",
  E_IO: "The message names the file and the reason of the kernel. Check owner, mode and the state of the disk.",
  E_MACHINE_UNKNOWN:
    "Write local: for this host, rootfs:DIR for an unpacked or mounted root file system, ssh://[user@]host[:port] for a machine that runs, disk:FILE for a disk or an archive of a root, or oci:REF for an image of the store.",
  E_MACHINE_UNREACHABLE:
    "A directory has to exist, hold a root file system (etc, usr) and be readable by you. Over ssh, `ssh user@host` has to work first; the hint names what is missing.",
  E_COMMAND_NOT_FOUND:
    "The path is looked up inside the machine's root, by the machine's own PATH. Give it in full.",
  E_SERVICE_NOT_FOUND: "`tranship discover MACHINE` lists the services that were found.",
  E_PROCESS_NOT_FOUND:
    "`tranship discover` lists processes, services and listening sockets. A process that ended takes its snapshot with it: name its successor.",
  E_CAPTURE_FAILED:
    "The message tells how the program ended. Try it natively first; --log-level debug shows its output and every step.",
  E_CAPTURE_INCOMPLETE:
    "Run the capture again; where it stays, the named call of the program cannot be watched in this mode. What the file witness alone lost is done without by --no-witness.",
  E_EXERCISE_FAILED:
    "Its output was printed. Mend the script, or the application's start (longer --until-port, other --service).",
  E_SOURCE_CHANGED:
    "The source must not change between plan and packing. Stop what writes there, then make the plan anew.",
  E_PLAN_INVALID: "The message names the line. A fresh plan comes from --plan-only.",
  E_UNMET:
    "`plan show` lists what is needed. Take it in: drop the --exclude, or give the path back to its group. --allow-unmet packs without it.",
  E_DESCRIPTOR_INVALID: "The message names the line and the key; docs/reference/package.md lists all keys.",
  E_EMP_INVALID:
    "The message names file, line and column. Correct the file in the folder, and import it again.",
  E_NOT_IN_PACKAGE: "Add the path with --include, or exercise what needs it, and capture again.",
  E_KERNEL_PART: "Remove the path from the plan or the --include. The target machine brings its own kernel.",
  E_REFERENCE_INVALID: "Lower-case letters, digits and ._-/ for the name, then :TAG or @sha256:DIGEST.",
  E_CHANGED_MEANWHILE:
    "Look at what is there now, and repeat the change. What you had edited is in the file that the message names.",
  E_IMAGE_NOT_FOUND:
    "`tranship images` lists what the store of this state root has; another state root is chosen with --root.",
  E_IMAGE_CORRUPT:
    "Capture or pull the package again; `tranship verify --read-data` names every damaged blob.",
  E_IMAGE_UNSUPPORTED: "The message names the media type. Convert the image with skopeo, or ask for support.",
  E_IMAGE_IN_USE: "Remove the instance first (`tranship rm`), or use --force.",
  E_LAYER_HOSTILE: "Do not run this image. The message names the entry; tell whoever made it.",
  E_LIMIT: "The input is larger than any real one should be. If yours is real, report it with its size.",
  E_INSTANCE_NOT_FOUND: "`tranship ps -a` lists instances; another state root is chosen with --root.",
  E_INSTANCE_STATE: "`tranship ps -a` shows the state; start or stop the instance first.",
  E_PATH_NOT_FOUND:
    "Look with `tranship exec INSTANCE ls -la DIR`; paths of an instance begin at its own root.",
  E_DEPLOYMENT_NOT_FOUND: "`tranship package deployed` lists what is deployed.",
  E_DEPLOYED: "Bring it to another version with `tranship package update`, or remove it first.",
  E_HOOK_FAILED: "The message has the hook and what it said last; `tranship package show` shows all of them.",
  E_VOLUME_NOT_FOUND: "`tranship volume ls` lists volumes; another state root is chosen with --root.",
  E_VOLUME_IN_USE: "Remove the instances that the message names first; stopped ones use their volumes too.",
  E_NETWORK_NOT_FOUND: "`tranship network ls` lists networks.",
  E_NETWORK_IN_USE:
    "Remove the instances that the message names, or disconnect them; stopped ones hold addresses of their networks too.",
  E_NAME_TAKEN: "Choose another --name, or remove the instance that has it.",
  E_IDENTITY_TAKEN:
    "Stop the instance that the message names, or give --new-identity: the instance then has ids and addresses of its own.",
  E_PORT_TAKEN: "Choose another port of the host with -p, or stop what listens there.",
  E_NETWORK:
    "The message names the step. `tranship doctor` checks bridge, nftables and addresses; --network none or host needs none of them.",
  E_NOT_CARRIED_OUT:
    "The message names the key and its values. `tranship package edit` changes the descriptor of a package, `run --descriptor FILE` takes another one for one instance.",
  E_LIMIT_UNSUPPORTED:
    "The message names the limit and what is missing. A limit is never left out silently: start it without, or on another host.",
  E_USERNS:
    "The message names the range or the file. --userns FIRST:COUNT names other ids of this host; --userns host does without.",
  E_RUNTIME:
    "The message holds what the OCI runtime said. `tranship doctor` runs a small container to find the cause.",
  E_NO_RUNTIME: "Install crun or runc; --log-level debug tells why each one found cannot be used.",
  E_REDIRECTION:
    "The message names the rule and the reason, the hint what to change. `tranship package edit` changes the rules of a package; nothing of the host is shown unless --allow-host names it.",
  E_SECRET_MISSING:
    "Give it with --secret PATH=FILE; `tranship package show` lists the secrets of a package.",
  E_ID_AMBIGUOUS: "Write more characters of the id; the message lists what fits.",
  E_REGISTRY_UNREACHABLE:
    "Check the name, the network and the proxy. A certificate of an authority of your own goes into certs.d, as with docker. Give the same command again: what was moved is not moved again.",
  E_REGISTRY_DENIED:
    "Log in with `tranship login REGISTRY` as somebody who may do that. Some registries want a token as the password.",
  E_REGISTRY_NOT_FOUND:
    "Check name and tag. Some registries answer so where you may not read the image: then log in.",
  E_REGISTRY_UNSAFE:
    "A registry may not send this host to a private address, take its credentials elsewhere or leave TLS. Where that is meant, name the host with --trust-host.",
  E_REGISTRY_FAILED:
    "The message has the registry's own words. Where it is overloaded, wait; where it stays, tell its administrator.",
  E_TEST_FAILED:
    "The message tells which side could not be started. Start it alone first: `tranship run`, or the service on the original.",
  E_CLUSTER_UNREACHABLE:
    "Start one with `tranship cluster serve`, or name another with --endpoint-url; `curl URL/ping` tells whether it answers.",
  E_ENGINE_UNREACHABLE:
    "The message has the engine's address. `curl --unix-socket PATH http://docker/version` tells whether it answers; opening its socket needs root or its group.",
  E_CLUSTER_REFUSED:
    "The message names the exception of the ECS API; its words are those of the real service.",
};
