import { Modal, type ModalProps } from '@mantine/core';
import { useTexts } from '../texts';
import { parts } from '../texts/parts';

/** A question or a small form above the page. */
export function Dialog(props: ModalProps) {
  const t = useTexts(parts);
  // Mantine's header element would be a second banner of the page.
  return <Modal centered closeButtonProps={{ 'aria-label': t.close }} attributes={{ header: { role: 'presentation' } }} {...props} />;
}
