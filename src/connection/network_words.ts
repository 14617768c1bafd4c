/**
 * What a network error means to whoever has to mend it. Errors are told apart by their code, on which all
 * runtimes agree. An error that is not listed here is shown by its code alone.
 */

/** Words for codes. The first match counts. */
const WORDS: ReadonlyArray<readonly [code: RegExp, words: string]> = [
  [/^ENOTFOUND$/, "its name has no address"],
  [/^EAI_AGAIN$/, "its name could not be looked up"],
  [/^(EACCES|ERR_ACCESS_DENIED)$/, "this process has no permission to connect"],
  // What Deno reports when a name is looked up. For an address it throws: see below.
  [/^EPERM$/, "this process has no permission to connect; run Deno with --allow-net"],
  [/^ERR_TLS_CERT_ALTNAME_INVALID$/, "its certificate is for another name"],
  [/^CERT_HAS_EXPIRED$/, "its certificate has expired"],
  [/^CERT_NOT_YET_VALID$/, "its certificate is not valid yet"],
  [/^(UNABLE_TO_|CERT_|INVALID_CA)|SELF_SIGNED/, "its certificate is not from a trusted authority"],
  [/CERTIFICATE_REQUIRED$/, "it asks for a client's certificate, tls.cert and tls.key"],
  [/ALERT_(UNKNOWN_CA|BAD_CERT|CERTIFICATE|UNSUPPORTED_CERT)/, "it refused tls.cert"],
  [/^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH|HTTP_REQUEST)/, "it does not answer in TLS"],
  [/KEY_VALUES_MISMATCH$/, "tls.key does not belong to tls.cert"],
  [/^ERR_(OSSL_|BORINGSSL)/, "tls.ca, tls.cert or tls.key is not a complete PEM"],
];

/**
 * A network error in a few words. Its own message is not shown: the address that it may hold is known
 * already.
 */
export function describeNetworkError(error: Error): string {
  // Deno's own errors, whose messages name the missing flag. NotCapable is its name since Deno 2.
  if (error.name === "NotCapable" || error.name === "PermissionDenied") {
    return `this process has no permission to connect (${error.name}): ${error.message}`;
  }
  const code = "code" in error ? error.code : undefined;
  if (typeof code !== "string") return error.message;
  const words = WORDS.find(([pattern]) => pattern.test(code))?.[1];
  return words === undefined ? code : `${words} (${code})`;
}

// How replies of other kinds of server begin.
const OTHERS: ReadonlyArray<readonly [head: RegExp, words: string]> = [
  [/^[-+$*]/, "it answers like a Redis server"],
  [/^(HTTP|<)/, "it answers like an HTTP server"],
  // An alert or a handshake message (RFC 8446, section 5.1).
  // deno-lint-ignore no-control-regex -- control characters are what is looked for
  [/^[\x15\x16]/, "it answers in TLS, as the option tls or memcacheds:// would ask for"],
];

/** What kind of server answers with these bytes, which no memcached sends. */
export function describeStranger(head: string): string {
  return OTHERS.find(([pattern]) => pattern.test(head))?.[1] ??
    "it does not answer like a memcached server";
}
