import { notifications } from '@mantine/notifications';
import { useTexts } from '../texts';
import { parts } from '../texts/parts';

/** Says that something was done. */
export function useNotify() {
  const t = useTexts(parts);
  return (message: string) => notifications.show({ message, color: 'green', closeButtonProps: { 'aria-label': t.close } });
}
