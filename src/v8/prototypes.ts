/**
 * What the prototypes of decoded objects hold. A property that `Object.prototype` has too may not be
 * assigned: a setter there would be run, and where the prototype is frozen it fails. To define each
 * property instead would take 20 times as long. To ask for each name takes 14 to 25 ns in V8, so what was
 * found holds until other code may have run: to the end of the microtask at the latest.
 */
const hasOwnProperty = Object.prototype.hasOwnProperty;
const then = Promise.prototype.then;
const settled: Promise<void> = Promise.resolve();

// Up to here indexes are asked for one by one; to list all names takes as long as some 30 of them.
const FEW = 16;

/** A number that stands for what was found; it changes when that no longer holds. */
let look = 1;
let lasting = false;
/** Below this no index is taken, as far as was looked. */
let freeBelow = 0;

/** The look that holds now. */
export function currentLook(): number {
  if (!lasting) {
    lasting = true;
    then.call(settled, lookAgain);
  }
  return look;
}

/** Other code may have run. */
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
