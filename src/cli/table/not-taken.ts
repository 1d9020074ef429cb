// Flags of docker's verbs that ours do not take, and why: who knows docker tries them.

/** Of `run` and `create`. */
const ofRun: Readonly<Record<string, string>> = {
  "--annotation":
    "nothing of a command line or an image reaches the OCI runtime by itself; --label is kept and shown",
  "--attach": "in the foreground all streams are shown; `tranship attach` shows those of one that runs",
  "--cgroup-parent":
    "the control groups of an instance are tranship-ID, where they are found and cleared away",
  "--cgroupns": "each instance has a cgroup namespace of its own",
  "--detach-keys": "give it to `tranship attach` or `tranship start -i`",
  "--device-cgroup-rule": "name the devices with --device",
  "--gpus": "name the devices with --device, and their libraries with -v",
  "--ipc": "each instance has an ipc namespace of its own; --shm-size is how large its shared memory is",
  "--link": "instances of a network find each other by their names: tranship network create",
  "--log-driver": "init keeps the logs: --log-opt says when they are rotated, `tranship logs` prints them",
  "--memory-swappiness": "the kernel no longer has it by group; --memory-swap bounds what is swapped",
  "--oom-kill-disable": "an instance at its limit would stand still; --oom-score-adj says who goes first",
  "--pid": "each instance has a pid namespace of its own; `tranship top` shows its processes to the host",
  "--platform": "programs run as what they are; `tranship pull --platform` fetches another one",
  "--runtime": "the variable TRANSHIP_RUNTIME names the OCI runtime: crun or runc",
  "--sig-proxy": "signals always go on to the program",
  "--stop-grace-period": "give --stop-timeout",
  "--uts": "each instance has a host name of its own: --hostname",
  "--volume-driver": "volumes are directories of this host",
};

/** By verb and flag. */
export const notTakenOfDocker: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  run: ofRun,
  create: ofRun,
  exec: {
    "--detach-keys": "the command ends with its terminal; -d starts it in the background",
    "--privileged": "a command has the capabilities of its instance: give that --cap-add",
  },
  logs: { "--details": "lines of a log have no attributes; `tranship inspect` shows labels and variables" },
  pull: { "--all-tags": "name the tags: each is a package" },
  push: { "--all-tags": "name the tags: each is a package" },
  rm: { "--link": "instances have no links; `tranship network disconnect` takes one off a network" },
  rmi: { "--no-prune": "content that no package uses any more goes with the last that did" },
  start: { "--checkpoint": "there are no checkpoints", "--checkpoint-dir": "there are no checkpoints" },
};
