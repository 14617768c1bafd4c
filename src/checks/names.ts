/** Finds the option that was meant when a name is unknown. */

// What an option is called here, the likeliest name first, and what other clients, cookies and people
// call it, in lower case and without "_" and "-". Which of the names an options object has depends on the
// object.
const SYNONYMS: ReadonlyMap<string, readonly string[]> = byName([
  ["ttl maxAge", "expires expire expiry expiration exptime expiretime expirein expiresin"],
  ["ttl maxAge", "ex exat lifetime maxage seconds timetolive duration validity"],
  ["maxAge", "ttl"],
  ["delay", "ttl after seconds"],
  ["touch", "ttl"],
  ["secret", "secrets encryptionkey sealingkey"],
  ["servers", "discovery"],
  ["servers host", "server hosts address addresses url urls uri nodes endpoint location"],
  ["servers", "host memcachedservers"],
  ["host", "hostname ip listen"],
  ["path", "socket socketpath unix"],
  ["id", "name"],
  ["namespace", "prefix keyprefix"],
  ["prefix", "namespace keyprefix"],
  ["username", "user login"],
  ["password", "pass passwd pwd"],
  ["signal", "abort abortsignal abortcontroller"],
  ["timeout", "deadline timeoutms requesttimeout operationtimeout commandtimeout"],
  ["connectTimeout", "connectiontimeout conntimeout"],
  ["tls", "ssl secure"],
  ["initial", "default defaultvalue init"],
  ["maxValueBytes maxBytes maxItemSize", "maxvalue maxvaluesize maxvaluebytes maxsize"],
  ["maxPending", "maxqueue maxqueuesize maxinflight queuelimit"],
  ["memoryLimit", "memory maxmemory"],
  ["serializer", "serialize codec"],
  ["values", "format table transcoder flags"],
  ["compressAbove", "compress compression compressor mincompresslen compressionthreshold"],
  ["hashing", "hash algorithm distribution strategy"],
  ["SessionTimeout", "ttl timeout"],
  ["MemcachedServers", "servers"],
  ["MemcachedNamespace", "namespace prefix"],
]);

// "secrt" and "tmieout" are near, "retries" and "failover" are not.
const MAX_DISTANCE = 2;

/** The known name that was meant, or undefined if none is near. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const plain = name.toLowerCase().replace(/[_-]/g, "");
  const same = known.find((one) => one.toLowerCase() === plain);
  if (same !== undefined) return same;
  const synonym = SYNONYMS.get(plain)?.find((one) => known.includes(one));
  if (synonym !== undefined) return synonym;
  let nearest: string | undefined;
  let least = MAX_DISTANCE + 1;
  for (const one of known) {
    // Half of a short name may be anything: "to" is not near "ttl".
    if (Math.abs(one.length - plain.length) > MAX_DISTANCE || one.length < 3) continue;
    const distance = editDistance(plain, one.toLowerCase());
    if (distance < least && distance * 2 < Math.max(plain.length, one.length)) {
      least = distance;
      nearest = one;
    }
  }
  return nearest;
}

function byName(
  rows: ReadonlyArray<readonly [meant: string, names: string]>,
): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [meant, names] of rows) {
    for (const name of names.split(" ")) {
      found.set(name, [...found.get(name) ?? [], ...meant.split(" ")]);
    }
  }
  return found;
}

/**
 * How many letters must be inserted, removed, replaced or swapped with their neighbour to get from one to
 * the other.
 */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row[j] = Math.min(
        last[j]! + 1,
        row[j - 1]! + 1,
        last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1),
        swapped ? before[j - 2]! + 1 : Infinity,
      );
    }
    before = last;
    last = row;
  }
  return last[b.length]!;
}
