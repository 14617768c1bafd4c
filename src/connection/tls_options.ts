/** TLS to a server: the options of node:tls. Five of them are checked. */
import { checkObject, checkPlain } from "../checks/options.ts";
import { checkBoolean, checkText, kindOf } from "../checks/values.ts";
import { invalidType } from "../errors.ts";

/**
 * TLS to a server. The runtime has defaults for what is not given. Other options of node:tls are passed
 * on to it.
 */
export interface TlsOptions {
  /** Trusted certificate authorities, PEM. */
  ca?: string | Uint8Array | undefined;
  /** The client's certificate, PEM. */
  cert?: string | Uint8Array | undefined;
  /** Its private key, PEM. */
  key?: string | Uint8Array | undefined;
  /** Name for SNI and for checking the certificate. Default: the server's host. */
  servername?: string | undefined;
  /** Whether a certificate that cannot be verified ends the connection. Default true. */
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
  // A copy of the object's own properties that are not undefined: inherited ones are not read, and
  // node:tls does not take `undefined` for "not given".
  const own: TlsOptions = Object.fromEntries(given.filter(([, value]) => value !== undefined));
  for (const name of PEM_NAMES) {
    const pem: unknown = own[name];
    if (pem !== undefined && typeof pem !== "string" && !(pem instanceof Uint8Array)) {
      throw invalidType(
        `tls.${name} must be PEM as a string or a Uint8Array, not ${kindOf(pem)}`,
      );
    }
    // Checked here since Deno connects all the same with a bad certificate.
    if (pem !== undefined && !textOf(pem).includes("-----BEGIN ")) {
      throw invalidType(
        `tls.${name} is not PEM, which has a line "-----BEGIN ...": give the file's content, not its path`,
      );
    }
  }
  if (own.servername !== undefined) checkText(own.servername, "tls.servername");
  if (own.rejectUnauthorized !== undefined) {
    checkBoolean(own.rejectUnauthorized, "tls.rejectUnauthorized");
  }
  return own;
}
