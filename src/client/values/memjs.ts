/** memjs. It stores text and bytes unchanged, with flags 0, and reads both as bytes (memjs 1.3, noop-serializer.js). */
import type { Stored } from "./codec.ts";
import { bytesOf } from "./bytes.ts";
import { readBytes } from "./reading.ts";
import { checkText, type Table, unstorable } from "./table.ts";

export const memjs: Table = {
  counterFlags: 0,

  encode(value: unknown, stored: Stored): void {
    const data = typeof value === "string" ? checkText(value, "memjs") : bytesOf(value);
    if (data === undefined) throw unstorable("memjs", "anything but text and bytes");
    stored.value = data;
    stored.flags = 0;
  },

  decode: readBytes,
};
