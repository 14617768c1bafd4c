/** Timeouts of calls that must succeed, however busy the machine is. */
export const PATIENT = { timeout: 20_000, connectTimeout: 20_000 } as const;
