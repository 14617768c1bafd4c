/** Where a connection leads, and what connections have in common. */
import type { Address, Credentials } from "../address.ts";
import type { ServerRef } from "../server_ref.ts";
import type { DialectName } from "../protocol/dialect.ts";
import type { Bounds } from "./pending.ts";
import type { Sweep } from "./sweep.ts";
import type { TlsOptions } from "./tls_options.ts";

/** What the connections of a client have in common. */
export interface ConnectionSettings extends Bounds {
  /** The client's own timeout, in ms. */
  readonly timeout: number;
  readonly connectTimeout: number;
  readonly maxValueBytes: number;
  readonly protocol: "auto" | DialectName;
  readonly sweep: Sweep;
  /** Runs `flush` when the tick's microtasks are drained, so that what it wrote leaves together. */
  readonly defer: (flush: () => void) => void;
  /** Runs `then` when all sockets that have something to read were read. */
  readonly look: (then: () => void) => void;
}

/** Where a connection leads. */
export interface Place {
  readonly ref: ServerRef;
  readonly address: Address;
  readonly tls: TlsOptions | undefined;
  readonly auth: Credentials | undefined;
}

/** Where it leads, and what is known from before. */
export interface Target extends Place {
  /** The dialect, where it is known from before. */
  readonly dialect: DialectName | undefined;
  /** Whether gets are to stand alone, as was learnt before. */
  readonly alone: boolean;
  /**
   * The version, if it is not to be asked for again: a proxy asks a server behind it, and of several
   * connections to one proxy none may depend on that server.
   */
  readonly version: string | undefined;
  /** Whether it replaces a silent one, so that silence for as long as a call's timeout ends it. */
  readonly onTrial: boolean;
  /** Silence for this part of the client's timeout is a stall. */
  readonly patience: number;
}
