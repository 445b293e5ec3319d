import { notifications } from '@mantine/notifications';
import { useTexts } from '../texts';
import { parts } from '../texts/parts';

/** Says that something was done. */
export function useNotify() {
  const t = useTexts(parts);
  return (message: string, color = 'green') => notifications.show({ message, color, closeButtonProps: { 'aria-label': t.close } });
}
