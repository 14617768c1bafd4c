/** Values that the caller's own serializer writes and reads. */
import { CorruptValueError, invalidType, isMemcachedError } from "../../errors.ts";
import { isStubFlags } from "../../protocol/stub.ts";
import type { Serializer } from "../options.ts";
import { takeBytes } from "./bytes.ts";
import { type ClientCodec, inexactFlags, MAX_FLAGS, type Stored, undefinedValue } from "./codec.ts";
import { Flags } from "./memwire.ts";

/** A codec that calls the caller's own serializer. */
export function serializerCodec(serializer: Serializer): ClientCodec {
  return {
    counterFlags: Flags.integer,
    encodeNotEmpty: undefined,

    encode(value: unknown, stored: Stored): void {
      const { data, flags } = serialized(serializer, value);
      stored.value = data;
      stored.flags = flags;
    },

    decode(reply): unknown {
      const { flags } = reply;
      if (!Number.isSafeInteger(flags)) throw inexactFlags(flags);
      return deserialized(serializer, reply.ownBytes(), flags);
    },

    holds: () => true,
  };
}

/** The data and flags that the caller's serializer returns for a value, checked. */
export function serialized(
  serializer: Serializer,
  value: unknown,
): { data: Uint8Array; flags: number } {
  if (value === undefined) throw undefinedValue();
  const { data, flags } = serializer.serialize(value);
  if (!(data instanceof Uint8Array)) {
    throw invalidType("serializer.serialize must return data as a Uint8Array");
  }
  if (!Number.isInteger(flags) || flags < 0 || flags > MAX_FLAGS) {
    throw invalidType("serializer.serialize must return flags from 0 to 2^32 - 1");
  }
  if (isStubFlags(flags)) {
    throw invalidType(
      "serializer.serialize must not return the flags 65536 and 131072: they mark items without a value",
    );
  }
  return { data: takeBytes(data), flags };
}

/** The value that the caller's serializer reads from the bytes. The serializer may keep the bytes. */
export function deserialized(serializer: Serializer, data: Uint8Array, flags: number): unknown {
  try {
    return serializer.deserialize(data, flags);
  } catch (cause) {
    if (isMemcachedError(cause)) throw cause;
    // Leave out the cause: its message may contain a piece of the value, as JSON.parse's does.
    const name = cause instanceof Error ? cause.name : typeof cause;
    throw new CorruptValueError(`the serializer could not read the stored value (${name})`, {
      flags,
    });
  }
}
