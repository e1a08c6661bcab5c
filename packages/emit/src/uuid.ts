/** A UUID of version 7 (RFC 9562, section 5.7): 48 bits of milliseconds since 1970, then 74 random bits. */
export function uuidv7(now: number, random = crypto.getRandomValues(new Uint8Array(10))): string {
  const time = now.toString(16).padStart(12, '0');
  const noise = Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('');
  const variant = (0b1000 | ((random[9] ?? 0) & 0b11)).toString(16);
  return [
    time.slice(0, 8),
    time.slice(8),
    `7${noise.slice(0, 3)}`,
    variant + noise.slice(3, 6),
    noise.slice(6, 18),
  ].join('-');
}
