/** How a server is named to users. A file of its own: errors name servers, and address.ts throws errors. */

/** A server as errors, channels and `serverFor` name it. */
export interface ServerRef {
  /** Name on the ring. */
  readonly id: string;
  /** `host:port`, `[v6]:port` or `unix:/path`; never credentials. */
  readonly address: string;
}
