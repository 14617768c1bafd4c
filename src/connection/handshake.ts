/**
 * What is said before the first command: credentials if there are any, `version`, and `mn` to learn
 * whether the server speaks the meta dialect. Pure: it turns replies into the next bytes to send.
 */
import { randomUUID } from "node:crypto";
import type { Credentials } from "../address.ts";
import { AuthError, type MemcachedError, ProtocolError, ServerError } from "../errors.ts";
import type { DialectName } from "../protocol/dialect.ts";
import { PAST_EXPTIME } from "../protocol/exptime.ts";
import { withoutKeys } from "../protocol/refusal.ts";
import { Kind, type Reply } from "../protocol/reply.ts";
import { byteLength } from "../protocol/text.ts";
import { isAtLeast, META_SINCE } from "../protocol/version.ts";

/** What the handshake starts from. */
export interface HandshakeOptions {
  readonly auth: Credentials | undefined;
  /** "auto" asks the server, unless an earlier connection has learnt its dialect. */
  readonly protocol: "auto" | DialectName;
  /** What an earlier connection to the same server has learnt. */
  readonly known: DialectName | undefined;
  /** The version, if it is known and need not be asked for. */
  readonly version?: string | undefined;
}

/** A handshake's next step. */
export type Step =
  | { readonly send: string }
  | { readonly ready: DialectName }
  | { readonly failed: MemcachedError };

/** Goes through the handshake of one connection. */
export class Handshake {
  readonly #options: HandshakeOptions;
  #waitsFor: "auth" | "version" | "noop" = "version";
  /** The server's version, once it has told it. */
  version = "";
  /** Whether a proxy answers, not memcached: its version is that of another server, or it has none. */
  proxied = false;

  constructor(options: HandshakeOptions) {
    this.#options = options;
  }

  /**
   * Whether `mn` was sent and not answered: a server that closes now is a proxy that does not know it.
   */
  get askedForMeta(): boolean {
    return this.#waitsFor === "noop";
  }

  /** The first step. */
  start(): Step {
    const { auth } = this.#options;
    if (auth === undefined) return this.#askVersion();
    this.#waitsFor = "auth";
    const { username, password, form } = auth;
    if (form === "memcachier") {
      // Its documentation, "ASCII authentication": the key is the name, the value the password.
      return { send: `set ${username} 0 0 ${byteLength(password)}\r\n${password}\r\n` };
    }
    // Any key will do, only the value counts. For a server without authentication this is a real `set`:
    // hence a key that nobody asks for, and an exptime in the past.
    const credentials = `${username} ${password}`;
    const key = `memwire:auth:${randomUUID()}`;
    return {
      send: `set ${key} 0 ${PAST_EXPTIME} ${byteLength(credentials)}\r\n${credentials}\r\n`,
    };
  }

  #askVersion(): Step {
    const { version } = this.#options;
    this.#waitsFor = "version";
    if (version === undefined) return { send: "version\r\n" };
    this.version = version;
    return this.#chooseDialect();
  }

  /** What follows from a reply. */
  next(reply: Reply): Step {
    const { auth } = this.#options;
    const refused = this.#waitsFor === "auth" && auth?.form === "memcachier";
    if (reply.kind === Kind.error && (refused || /authenticat/i.test(reply.text))) {
      return { failed: new AuthError(`the server refused: ${this.#wordsOf(reply)}`) };
    }
    switch (this.#waitsFor) {
      case "auth":
        // Nothing is pipelined behind the credentials: memcached would answer once for all of it.
        if (reply.kind !== Kind.stored) return { failed: this.#unexpected(reply) };
        return this.#askVersion();
      case "version":
        if (reply.kind === Kind.error && reply.text.startsWith("SERVER_ERROR")) {
          // A proxy has asked a server behind it that is down. Others may be up.
          return this.#chooseDialect();
        }
        if (reply.kind !== Kind.version) return { failed: this.#unexpected(reply) };
        this.version = reply.text.slice("VERSION ".length);
        return this.#chooseDialect();
      case "noop":
        if (reply.kind === Kind.noop) return { ready: "meta" };
        this.proxied = true;
        if (reply.kind === Kind.error) return { ready: "classic" };
        return { failed: this.#unexpected(reply) };
    }
  }

  #unexpected(reply: Reply): MemcachedError {
    return reply.kind === Kind.error
      ? new ServerError(`the server refused the connection: ${this.#wordsOf(reply)}`)
      : new ProtocolError("the answer to the handshake was unexpected");
  }

  /** An error line, which may repeat what was sent: the credentials. */
  #wordsOf(reply: Reply): string {
    const { auth } = this.#options;
    return withoutKeys(reply.text, auth === undefined ? [] : [auth.username, auth.password]);
  }

  #chooseDialect(): Step {
    const { protocol, known } = this.#options;
    const old = !isAtLeast(this.version, META_SINCE);
    this.proxied = this.version === "" || (protocol === "auto" && !old && known === "classic");
    if (protocol !== "auto") return { ready: protocol };
    if (old) return { ready: this.version === "" ? known ?? "classic" : "classic" };
    if (known !== undefined) return { ready: known };
    // A version is no proof: twemproxy forwards the one of a server behind it, and knows no `mn`.
    this.#waitsFor = "noop";
    return { send: "mn\r\n" };
  }
}
