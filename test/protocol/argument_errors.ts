/** Checks how a wrong argument is refused. */
import assert from "node:assert/strict";

/** Checks that it throws a TypeError or RangeError with its code, whose message does not contain `secret`. */
export function checkRefused(
  call: () => unknown,
  kind: typeof TypeError | typeof RangeError,
  rule: RegExp,
  secret?: string,
): void {
  assert.throws(call, (error) => {
    assert.ok(error instanceof kind, String(error));
    assert.equal((error as Error & { code?: string }).code, "ERR_INVALID_ARGUMENT");
    assert.match(error.message, rule);
    if (secret !== undefined) assert.ok(!error.message.includes(secret), error.message);
    return true;
  });
}
