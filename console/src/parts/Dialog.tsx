import { Modal, type ModalProps } from '@mantine/core';
import { useSession } from '../api/session';
import { useTexts } from '../texts';
import { parts } from '../texts/parts';

/** A question or a small form above the page. The keyboard is not its own while the console asks above it who calls. */
export function Dialog({ closeOnEscape = true, ...props }: ModalProps) {
  const t = useTexts(parts);
  const { needed } = useSession();
  return (
    <Modal
      centered
      closeButtonProps={{ 'aria-label': t.close }}
      attributes={{ header: { role: 'presentation' } }} // Mantine's header element would be a second banner of the page
      closeOnEscape={closeOnEscape && !needed}
      trapFocus={!needed}
      {...props}
    />
  );
}
