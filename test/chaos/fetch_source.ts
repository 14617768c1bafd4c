/**
 * The source behind the cache, which also checks the results. Each key has a version. A change raises the version
 * and then tells the cache. When the cache has acknowledged that, no older version may be stored any more (`hard`),
 * or only one that is marked as old (`floor`).
 */
import type { ChildProcess } from "node:child_process";
import { type Begun, clock, type Done } from "./fetch_messages.ts";

interface Load {
  readonly key: string;
  /** Its lease was won between these two times. */
  readonly askedAt: number;
  readonly since: number;
  readonly worker: ChildProcess;
}

/** The result of a storm. */
export interface Tally {
  calls: number;
  loads: number;
  changes: number;
  /** How many values were read from the server itself. */
  looks: number;
  overlapsPastLease: number;
  kills: number;
  stops: number;
  restarts: number;
  longestMs: number;
  readonly results: Record<string, number>;
  /** Everything that happened and must not happen. */
  readonly violations: string[];
}

/** How long a call may wait for anything but dead winners: loads, pauses between questions, a busy machine. */
const SLACK_MS = 3_000;

export class Source {
  readonly tally: Tally = {
    calls: 0,
    loads: 0,
    changes: 0,
    looks: 0,
    overlapsPastLease: 0,
    kills: 0,
    stops: 0,
    restarts: 0,
    longestMs: 0,
    results: {},
    violations: [],
  };
  /** The loads that are under way. */
  readonly active: Map<number, Load> = new Map();
  readonly #lease: number;
  readonly #loadMs: number;
  readonly #failRate: number;
  readonly #versions = new Map<string, number>();
  readonly #floors = new Map<string, number>();
  readonly #hard = new Map<string, number>();
  /** When a key was last changed; Infinity while it is being changed. */
  readonly #changed = new Map<string, number>();
  /** When winners of a key died or were stopped, and when the server restarted. */
  readonly #deaths = new Map<string, number[]>();
  readonly #outages: number[] = [];
  /** Loads that overlapped too early. That is allowed if the cache could not be used, which is only known later. */
  readonly #overlaps: { readonly loads: readonly number[]; readonly text: string }[] = [];
  readonly #bypasses = new Set<number>();
  #count = 0;

  /** `lease` is in seconds, `loadMs` is the longest load. */
  constructor(lease: number, loadMs: number, failRate: number) {
    this.#lease = lease;
    this.#loadMs = loadMs;
    this.#failRate = failRate;
  }

  floor(key: string): number {
    return this.#floors.get(key) ?? 0;
  }

  hard(key: string): number {
    return this.#hard.get(key) ?? 0;
  }

  /** Notes that a load begins. */
  begin(key: string, askedAt: number, worker: ChildProcess): Begun {
    const now = clock();
    this.tally.loads++;
    const load = ++this.#count;
    for (const [id, other] of this.active) {
      if (other.key === key) this.#noteOverlap(other, now, [id, load]);
    }
    this.active.set(load, { key, askedAt, since: now, worker });
    const version = this.#versions.get(key) ?? 1;
    return {
      load,
      version,
      ms: Math.random() * this.#loadMs,
      fails: Math.random() < this.#failRate,
      absent: Math.random() < 0.1,
    };
  }

  #noteOverlap({ key, askedAt, since }: Load, now: number, loads: readonly number[]): void {
    // A change of the key, or a restart of the server, has taken the lease away.
    if ((this.#changed.get(key) ?? 0) >= askedAt) return;
    if (this.#outages.some((time) => time >= since - 3_000)) return;
    if (now - since >= this.#lease * 1000 - 5) this.tally.overlapsPastLease++;
    else {this.#overlaps.push({
        loads,
        text: `two loads of ${key}, ${Math.round(now - since)} ms apart`,
      });}
  }

  /** Makes the result, when all calls have ended. */
  close(): Tally {
    for (const { loads, text } of this.#overlaps) {
      if (!loads.some((load) => this.#bypasses.has(load))) this.#violation(text);
    }
    return this.tally;
  }

  end(load: number): void {
    this.active.delete(load);
  }

  /** Notes that a worker has died, or is stopped for longer than the lease. */
  died(worker: ChildProcess): void {
    for (const [id, { key, worker: of }] of this.active) {
      if (of !== worker) continue;
      this.#deaths.set(key, [...this.#deaths.get(key) ?? [], clock()]);
      if (worker.exitCode !== null || worker.signalCode !== null) this.active.delete(id);
    }
  }

  outage(): void {
    this.#outages.push(clock());
  }

  /** Changes the key, unless it is being changed. `hard`: the old value must be gone afterwards. */
  async change(
    key: string,
    tell: (version: number) => Promise<"gone" | "old" | "nothing">,
  ): Promise<void> {
    if (this.#changed.get(key) === Infinity) return;
    this.#changed.set(key, Infinity);
    const version = (this.#versions.get(key) ?? 1) + 1;
    this.#versions.set(key, version);
    this.tally.changes++;
    const what = await tell(version).catch(() => "nothing");
    if (what !== "nothing") this.#floors.set(key, version);
    if (what === "gone") this.#hard.set(key, version);
    this.#changed.set(key, clock());
  }

  /** Checks how a call ended. `stopped`: its process was stopped meanwhile. */
  done(
    { key, floor, hard, seesMarks, alone, load, ms, result, value, error }: Done,
    stopped: boolean,
  ): void {
    const { tally } = this;
    tally.calls++;
    if (result === "bypassed") this.#bypasses.add(load);
    const name = error === "" ? result : `error ${error}`;
    tally.results[name] = (tally.results[name] ?? 0) + 1;
    if (error !== "" && error !== "Error: source") this.#violation(`a fetch rejected: ${error}`);
    const version = versionOf(value);
    if (version !== undefined && alone && result !== "bypassed") {
      const least = seesMarks && result !== "stale" ? floor : hard;
      if (version < least) {
        this.#violation(`${result} ${version} of ${key}, ${least} was acknowledged`);
      }
    }
    if (stopped) return;
    tally.longestMs = Math.max(tally.longestMs, Math.round(ms));
    const since = clock() - ms;
    const deaths = (this.#deaths.get(key) ?? []).filter((time) =>
      time > since - this.#lease * 1000
    );
    const outages = this.#outages.filter((time) => time > since - this.#lease * 1000);
    const most = (deaths.length + outages.length) * (this.#lease + 1) * 1000 + this.#loadMs +
      SLACK_MS;
    if (ms > most) {
      this.#violation(
        `a fetch of ${key} took ${Math.round(ms)} ms, ${deaths.length} winners had died`,
      );
    }
  }

  /** Checks what was read from the server after `hard` had been acknowledged. */
  look(key: string, value: unknown, hard: number): void {
    this.tally.looks++;
    const version = typeof value === "string" ? versionOf(value) : undefined;
    if (version !== undefined && version < hard) {
      this.#violation(`${version} of ${key} is stored, ${hard} was acknowledged`);
    }
  }

  #violation(text: string): void {
    if (this.tally.violations.length < 20) this.tally.violations.push(text);
  }
}

function versionOf(value: string | undefined): number | undefined {
  return value === undefined ? undefined : Number(value.slice(value.lastIndexOf(":") + 1));
}
