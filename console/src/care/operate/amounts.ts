import type { Schemas } from '../../api/client';
import { formatDecimal } from '../../form/decimal';

const steps: Record<string, [number, string][]> = {
  OCTET: [
    [1e12, 'TB'],
    [1e9, 'GB'],
    [1e6, 'MB'],
    [1e3, 'kB'],
    [1, 'B'],
  ],
  SECOND: [
    [3600, 'h'],
    [60, 'min'],
    [1, 's'],
  ],
};

/** An amount of a balance as people read it: money exactly; octets and seconds in a large unit, with the exact number where that is rounded. */
export function amountOf(balance: Pick<Schemas['Balance'], 'currency' | 'unitOfMeasure'>, amount: number): string {
  if (balance.currency) return `${formatDecimal(amount, 6)} ${balance.currency}`;
  const unit = (steps[balance.unitOfMeasure ?? ''] ?? []).find(([size]) => Math.abs(amount) >= size);
  if (!unit) return String(amount);
  const [size, name] = unit;
  const rounded = Number((amount / size).toFixed(2));
  return rounded * size === amount ? `${rounded} ${name}` : `${rounded} ${name} (${amount})`;
}
