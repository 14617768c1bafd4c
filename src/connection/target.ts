/** Where a connection leads, and what the connections of a client have in common. */
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
}

/** Where a connection leads. */
export interface Endpoint {
  readonly ref: ServerRef;
  readonly address: Address;
  readonly tls: TlsOptions | undefined;
  readonly auth: Credentials | undefined;
}

/** Where a connection leads, and what is known from earlier ones. */
export interface Target extends Endpoint {
  /** The dialect, if an earlier connection has learnt it. */
  readonly dialect: DialectName | undefined;
  /** Whether each get must have a line to itself, as an earlier connection has learnt. */
  readonly alone: boolean;
  /**
   * The version, if it must not be asked for again: a proxy asks a server behind it, and several
   * connections to one proxy must not all depend on that server.
   */
  readonly version: string | undefined;
  /** Whether it replaces a silent one. Then a silence as long as the client's timeout ends it. */
  readonly onTrial: boolean;
  /** A silence for this part of the client's timeout is a stall. */
  readonly patience: number;
}
