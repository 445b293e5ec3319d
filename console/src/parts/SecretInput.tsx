import { PasswordInput } from '@mantine/core';
import type { ComponentProps } from 'react';
import { useTexts } from '../texts';
import { parts } from '../texts/parts';

/**
 * A field whose text is hidden until the button in it is pressed. Left to
 * itself the library keeps that button from the keyboard, and says on what
 * stands around the input that it is wrong.
 */
export function SecretInput(props: ComponentProps<typeof PasswordInput>) {
  const t = useTexts(parts);
  return (
    <PasswordInput
      {...props}
      aria-invalid={props.error ? true : undefined}
      visibilityToggleFocusable
      visibilityToggleButtonProps={{ 'aria-label': t.showSecret }}
    />
  );
}
