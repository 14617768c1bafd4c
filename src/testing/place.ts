/** Where the embedded server listens, and with which certificate. */

/** Where to listen. */
export type Place =
  | { readonly host: string; readonly port: number }
  | { readonly path: string };

/** A certificate and its private key, PEM. */
export interface Certificate {
  /** The certificate, with those of the authorities between if there are any. */
  readonly cert: string | Uint8Array;
  /** Its private key. */
  readonly key: string | Uint8Array;
}
