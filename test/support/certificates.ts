/**
 * Makes certificates for tests of TLS, by openssl, when a test asks for them.
 *
 *     using authority = makeAuthority();
 *     const { cert, key } = authority.issue(["IP:127.0.0.1", "DNS:localhost"]); // paths
 *     const server = await startMemcached({ tls: { cert, key } });
 *     new Memcached(server.address, { tls: { ca: readFileSync(authority.ca) } });
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** The files of a certificate and its key, in PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority in a folder of its own. */
export class Authority implements Disposable {
  /** The file of its own certificate, in PEM. */
  readonly ca: string;
  readonly #folder: string;
  readonly #key: string;
  #issued = 0;

  /** Use makeAuthority. */
  constructor() {
    this.#folder = mkdtempSync(join(tmpdir(), "memwire-tls-"));
    this.ca = join(this.#folder, "ca.pem");
    this.#key = join(this.#folder, "ca.key");
    const subject = ["-subj", "/CN=a test authority", "-days", "2"];
    const use = ["-addext", "keyUsage=critical,keyCertSign"];
    openssl("req", "-x509", ...NEW_KEY, ...subject, ...use, "-keyout", this.#key, "-out", this.ca);
  }

  /** Issues a certificate for these names, `DNS:name` or `IP:address`. With negative `days` it has expired. */
  issue(names: readonly string[], days = 2): Certificate {
    const file = join(this.#folder, `${this.#issued++}`);
    const [key, request, extensions, cert] = ["key", "csr", "ext", "pem"].map((end) =>
      `${file}.${end}`
    ) as [string, string, string, string];
    writeFileSync(extensions, `basicConstraints=CA:FALSE\nsubjectAltName=${names.join(",")}\n`);
    openssl("req", ...NEW_KEY, "-subj", "/CN=a test", "-keyout", key, "-out", request);
    const signer = ["-CA", this.ca, "-CAkey", this.#key, "-CAcreateserial"];
    const what = ["-in", request, "-extfile", extensions, "-days", String(days), "-out", cert];
    openssl("x509", "-req", ...signer, ...what);
    return { cert, key };
  }

  /** Removes all files. */
  dispose(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Makes a certificate authority, which nobody trusts unless told to. */
export function makeAuthority(): Authority {
  return new Authority();
}

function openssl(...args: string[]): void {
  const { status, stderr, error } = spawnSync("openssl", args, { encoding: "utf8" });
  assert.equal(status, 0, `openssl ${args[0]}: ${error ?? stderr}`);
}
