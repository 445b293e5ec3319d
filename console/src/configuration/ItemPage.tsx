export function NewPage() {
  return null;
}
export function ItemPage() {
  return null;
}
