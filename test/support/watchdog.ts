/**
 * Kills the servers of a test process that was itself killed and could not do it.
 *
 * A shell waits for the end of its standard input, which comes when this process is gone for whatever reason.
 * Then it kills the servers that still run. Each process that starts servers has one such shell.
 */
import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";

const SCRIPT = `
trap '' INT TERM HUP
pids=' '
while read -r what pid; do
  case $what in
  watch) pids="$pids$pid " ;;
  forget) pids="\${pids%% $pid *} \${pids#* $pid }" ;;
  esac
done
case $pids in *[0-9]*) kill -KILL $pids ;; esac
`;

let shell: ChildProcess | undefined;

/** Makes sure that the process does not outlive this one. */
export function watch(pid: number): void {
  if (shell === undefined) {
    // In a group of its own, so that a signal to this process's group does not end it.
    shell = spawn("/bin/sh", ["-c", SCRIPT], {
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
    });
    shell.on("error", () => {}); // without a shell there is no watchdog
    shell.stdin?.on("error", () => {});
    shell.unref();
    (shell.stdin as Socket | null)?.unref?.();
  }
  shell.stdin?.write(`watch ${pid}\n`);
}

/** Forgets a process that has ended, because another may soon get its number. */
export function forget(pid: number): void {
  shell?.stdin?.write(`forget ${pid}\n`);
}
