/** The bytes that hold the text protocol together. */

/** Line feed. */
export const LF = 0x0a;

/** Carriage return. */
export const CR = 0x0d;

/** Between the words of a line. */
export const SPACE = 0x20;

/** The digit 0; the other nine follow it. */
export const ZERO = 0x30;
