/**
 * Hiding ids and sealing values: what stands in memcached tells nothing and cannot be forged.
 *
 * Keys are made of the secret by HKDF-SHA-256, one for each purpose. Ids are hidden by HMAC-SHA-256.
 * Values are sealed by AES-256-GCM, bound to their key and flags: nonce (12 bytes), ciphertext,
 * tag (16 bytes). What a seal cannot stop is the replay of an older value of the same key.
 */
import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from "node:crypto";
import { invalidType } from "../errors.ts";
import { byteLength } from "../protocol/text.ts";

/** Characters of a hidden id: 32 bytes in base64url. */
export const HIDDEN_ID_LENGTH = 43;

const CIPHER = "aes-256-gcm";
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const MIN_SECRET_BYTES = 16;

interface Keys {
  readonly id: Buffer;
  readonly value: Buffer;
}

/** The keys made of a secret, or of several: the first writes, all read. */
export class Seal {
  readonly #keys: readonly Keys[];

  constructor(secret: string | readonly string[]) {
    const secrets = typeof secret === "string" ? [secret] : secret;
    if (!Array.isArray(secrets) || secrets.length === 0) {
      throw invalidType("secret must be a string or a list of strings");
    }
    this.#keys = secrets.map((one: unknown) => {
      if (typeof one !== "string" || byteLength(one) < MIN_SECRET_BYTES) {
        throw invalidType(`a secret must be a string of ${MIN_SECRET_BYTES} bytes at least`);
      }
      return { id: derive(one, "memwire id"), value: derive(one, "memwire value") };
    });
  }

  /** The id as it stands in memcached, under each secret: the one that writes first. */
  hide(id: string): string[] {
    return this.#keys.map((keys) => createHmac("sha256", keys.id).update(id).digest("base64url"));
  }

  /** Seals bytes for this key and these flags. */
  close(plain: Uint8Array, key: string, flags: number): Uint8Array {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, (this.#keys[0] as Keys).value, nonce);
    cipher.setAAD(context(key, flags));
    const body = cipher.update(plain);
    return Buffer.concat([nonce, body, cipher.final(), cipher.getAuthTag()]);
  }

  /** The bytes that were sealed for this key and these flags; undefined if no secret opens them. */
  open(sealed: Uint8Array, key: string, flags: number): Buffer | undefined {
    if (sealed.byteLength < NONCE_BYTES + TAG_BYTES) return undefined;
    const nonce = sealed.subarray(0, NONCE_BYTES);
    const body = sealed.subarray(NONCE_BYTES, sealed.byteLength - TAG_BYTES);
    const tag = sealed.subarray(sealed.byteLength - TAG_BYTES);
    for (const keys of this.#keys) {
      const decipher = createDecipheriv(CIPHER, keys.value, nonce, { authTagLength: TAG_BYTES });
      decipher.setAAD(context(key, flags));
      decipher.setAuthTag(tag);
      const plain = decipher.update(body);
      try {
        return Buffer.concat([plain, decipher.final()]);
      } catch {
        // Not sealed by this secret, or not as it was sealed: the next one is tried.
      }
    }
    return undefined;
  }
}

/** HKDF-SHA-256 (RFC 5869) without salt, one block; hkdfSync is missing in Bun before 1.2.10. */
function derive(secret: string, purpose: string): Buffer {
  const pseudorandom = createHmac("sha256", Buffer.alloc(KEY_BYTES)).update(secret).digest();
  return createHmac("sha256", pseudorandom).update(`${purpose}\x01`).digest();
}

// Flags are bound too: a value must not be read as something else than it was stored as.
function context(key: string, flags: number): Buffer {
  return Buffer.from(`${flags} ${key}`);
}
