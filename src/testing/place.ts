/** Where the embedded server listens, and with which certificate. */

/** An interface and port, or the path of a unix socket. */
export type Place =
  | { readonly host: string; readonly port: number }
  | { readonly path: string };

/** A certificate and its private key, in PEM. */
export interface Certificate {
  /** The certificate, followed by those of intermediate authorities if there are any. */
  readonly cert: string | Uint8Array;
  /** Its private key. */
  readonly key: string | Uint8Array;
}
