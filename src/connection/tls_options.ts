/** TLS to a server: the options of node:tls, five of them known by name. */
import { checkObject, checkPlain } from "../checks/options.ts";
import { checkBoolean, checkText, kindOf } from "../checks/values.ts";
import { invalidType } from "../errors.ts";

/** TLS to a server. What is left out is the runtime's default; other options of node:tls are passed on to it. */
export interface TlsOptions {
  /** Trusted certificate authorities, PEM. */
  ca?: string | Uint8Array | undefined;
  /** The client's certificate, PEM. */
  cert?: string | Uint8Array | undefined;
  /** Its private key, PEM. */
  key?: string | Uint8Array | undefined;
  /** Name for SNI and for checking the certificate. Default: the server's host. */
  servername?: string | undefined;
  /** Whether a certificate that does not check ends the connection. Default true. */
  rejectUnauthorized?: boolean | undefined;
}

/** The options that hold PEM. */
const PEM_NAMES = ["ca", "cert", "key"] as const;

function textOf(pem: string | Uint8Array): string {
  return typeof pem === "string" ? pem : new TextDecoder("latin1").decode(pem);
}

/** Checks the option `tls`; undefined: no TLS. */
export function readTlsOptions(tls: boolean | TlsOptions | undefined): TlsOptions | undefined {
  if (tls === undefined || tls === false) return undefined;
  if (tls === true) return {};
  checkObject(tls, "tls");
  const given = Object.entries(tls);
  if (given.length === 0) checkPlain(tls, "tls");
  // A copy of what was given of its own: nothing inherited is read, and `undefined` is a value to node:tls.
  const own: TlsOptions = Object.fromEntries(given.filter(([, value]) => value !== undefined));
  for (const name of PEM_NAMES) {
    const pem: unknown = own[name];
    if (pem !== undefined && typeof pem !== "string" && !(pem instanceof Uint8Array)) {
      throw invalidType(
        `tls.${name} must be PEM as a string or a Uint8Array, not ${kindOf(pem)}`,
      );
    }
    // Deno connects all the same, with a certificate that is none.
    if (pem !== undefined && !textOf(pem).includes("-----BEGIN ")) {
      throw invalidType(
        `tls.${name} holds no PEM, which has a line "-----BEGIN ...": give what the file holds, not its path`,
      );
    }
  }
  if (own.servername !== undefined) checkText(own.servername, "tls.servername");
  if (own.rejectUnauthorized !== undefined) {
    checkBoolean(own.rejectUnauthorized, "tls.rejectUnauthorized");
  }
  return own;
}
