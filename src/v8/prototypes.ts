/**
 * Finds out which names the prototypes of decoded objects have. A property that `Object.prototype` has too
 * must not be assigned: a setter there would run, and if the prototype is frozen, assigning fails. Defining
 * every property instead would take 20 times as long. Checking one name takes 14 to 25 ns in V8, so the
 * result of a check (a "look") is used until other code may have run, which is at the latest when the
 * current microtask ends.
 */
const hasOwnProperty = Object.prototype.hasOwnProperty;
const then = Promise.prototype.then;
const settled: Promise<void> = Promise.resolve();

// Up to this many indexes are checked one by one. Listing all names takes as long as about 30 checks.
const FEW = 16;

/** The number of the present look. It changes when what was found may no longer be true. */
let look = 1;
let lasting = false;
/** The present look has found no index below this. */
let freeBelow = 0;

/** Returns the present look, and ends it when the current microtask has run. */
export function currentLook(): number {
  if (!lasting) {
    lasting = true;
    then.call(settled, lookAgain);
  }
  return look;
}

/** Ends the present look, because other code may have run. */
export function lookAgain(): void {
  look++;
  freeBelow = 0;
  lasting = false;
}

/** Whether objects inherit something of this name. */
export function isInherited(name: string): boolean {
  return hasOwnProperty.call(Object.prototype, name);
}

/** Whether arrays inherit something at an index below `length`. */
export function inheritsIndex(length: number): boolean {
  if (length <= freeBelow) return false;
  // Array.prototype is an array: an index that it has makes it longer.
  if (Array.prototype.length > 0) return true;
  if (length > FEW) {
    // Indexes come before all other names.
    const [first] = Object.getOwnPropertyNames(Object.prototype);
    if (/^\d+$/.test(first ?? "")) return true;
    freeBelow = Infinity;
    return false;
  }
  for (let i = freeBelow; i < length; i++) if (i in Object.prototype) return true;
  freeBelow = length;
  return false;
}
