/** Numbers that the API has as integers and people write with decimals: exact, without floating point. */

/** 100000 with 4 decimals is "10". */
export function formatDecimal(value: number, decimals: number): string {
  const digits = Math.abs(value)
    .toString()
    .padStart(decimals + 1, '0');
  const whole = digits.slice(0, digits.length - decimals);
  const rest = decimals ? digits.slice(-decimals).replace(/0+$/, '') : '';
  return (value < 0 ? '-' : '') + whole + (rest && `.${rest}`);
}

/** "10,5" with 4 decimals is 105000; undefined when it is no such number. */
export function parseDecimal(text: string, decimals: number): number | undefined {
  const match = /^(-?)(\d{1,16})(?:[.,](\d*))?$/.exec(text.trim());
  if (!match || (match[3]?.length ?? 0) > decimals) return undefined;
  const value = Number(match[1]! + match[2]! + (match[3] ?? '').padEnd(decimals, '0'));
  return Number.isSafeInteger(value) ? value : undefined;
}
