/** Timeouts of calls that must succeed, however busy the machine is. */
export const PATIENT = { timeout: 20_000, connectTimeout: 20_000 } as const;

/**
 * In ms: an item of 2 s does not end before. memwire asks for a second more, because memcached counts whole seconds.
 * Its clock ticks once a second, and on a busy machine a tick may be late.
 */
export const ENDS_AFTER = 1_500;
