/**
 * Seals values, so that nobody can read or forge what is in memcached, or move it to another key.
 *
 * The cipher is AES-256-GCM with a separate key for each mcKey: HKDF-SHA-256 derives a key from the secret,
 * and HMAC-SHA-256 of the mcKey under that key gives the value's key, so that random nonces stay safe for
 * ever. A sealed value is the secret's name (4 bytes), nonce (12), ciphertext and tag (16), bound to the key
 * on the wire and to the flags. A seal cannot stop the replay of an older value of the same key.
 */
import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from "node:crypto";
import { invalidType } from "../errors.ts";
import { byteLength } from "../protocol/text.ts";

const CIPHER = "aes-256-gcm";
const KEY_BYTES = 32;
const NAME_BYTES = 4;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const MIN_SECRET_BYTES = 16;

interface Secret {
  /** The first bytes of each value that this secret has sealed; they tell which secret it was. */
  readonly name: Buffer;
  readonly key: Buffer;
}

/** What a seal binds its value to. */
interface SealedPlace {
  /** The id's key, without the client's prefix. */
  readonly mcKey: string;
  /** The key as it goes over the wire, with the client's prefix. */
  readonly wireKey: string;
  readonly flags: number;
}

/** An opened value. */
export interface Opened {
  readonly plain: Buffer;
  /** Whether another secret than the first has sealed it. */
  readonly outdated: boolean;
}

/** Seals and opens values with one secret or several: the first seals, each opens. */
export class Seal {
  readonly #secrets: readonly Secret[];

  constructor(secret: string | readonly string[]) {
    const secrets = typeof secret === "string" ? [secret] : secret;
    if (!Array.isArray(secrets) || secrets.length === 0) {
      throw invalidType("secret must be a string or a non-empty list of strings");
    }
    this.#secrets = secrets.map((one: unknown) => {
      if (typeof one !== "string" || byteLength(one) < MIN_SECRET_BYTES) {
        throw invalidType(`a secret must be a string of at least ${MIN_SECRET_BYTES} bytes`);
      }
      const key = derive(one);
      return { key, name: createHash("sha256").update(key).digest().subarray(0, NAME_BYTES) };
    });
  }

  /** Seals bytes for this place. Only there can they be opened. */
  close(plain: Uint8Array, place: SealedPlace): Uint8Array {
    const { name, key } = this.#secrets[0]!;
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, keyOf(key, place), nonce);
    cipher.setAAD(context(place));
    const body = cipher.update(plain);
    return Buffer.concat([name, nonce, body, cipher.final(), cipher.getAuthTag()]);
  }

  /**
   * Opens what was sealed for this place. "unknown": none of the secrets has sealed it. "broken": one of them
   * has, but the bytes, the key or the flags are no longer the same.
   */
  open(sealed: Uint8Array, place: SealedPlace): Opened | "unknown" | "broken" {
    if (sealed.byteLength < NAME_BYTES + NONCE_BYTES + TAG_BYTES) return "broken";
    let known = false;
    for (const [at, { name, key }] of this.#secrets.entries()) {
      if (!name.equals(sealed.subarray(0, NAME_BYTES))) continue;
      known = true;
      const plain = unsealed(sealed, keyOf(key, place), context(place));
      if (plain !== undefined) return { plain, outdated: at > 0 };
    }
    return known ? "broken" : "unknown";
  }
}

function unsealed(sealed: Uint8Array, key: Buffer, aad: Buffer): Buffer | undefined {
  const nonceEnd = NAME_BYTES + NONCE_BYTES;
  const bodyEnd = sealed.byteLength - TAG_BYTES;
  const nonce = sealed.subarray(NAME_BYTES, nonceEnd);
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(aad);
  decipher.setAuthTag(sealed.subarray(bodyEnd));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(nonceEnd, bodyEnd)), decipher.final()]);
  } catch {
    return undefined;
  }
}

/** HKDF-SHA-256 (RFC 5869) without salt, one block; hkdfSync is missing in Bun before 1.2.10. */
function derive(secret: string): Buffer {
  const pseudorandom = createHmac("sha256", Buffer.alloc(KEY_BYTES)).update(secret).digest();
  return createHmac("sha256", pseudorandom).update("memwire value\x01").digest();
}

function keyOf(secret: Buffer, { mcKey }: SealedPlace): Buffer {
  return createHmac("sha256", secret).update(mcKey).digest();
}

// The flags are bound too, so that a value cannot be passed off as one of another kind.
function context({ wireKey, flags }: SealedPlace): Buffer {
  return Buffer.from(`${flags} ${wireKey}`);
}
