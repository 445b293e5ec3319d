import { Button, Code, CopyButton, Group, Text } from '@mantine/core';
import { Dialog } from '../parts/Dialog';
import { useTexts } from '../texts';
import { configuration } from '../texts/configuration';

/** An API key, the only time that it is told: nothing but the button closes it. */
export function NewKey({ secret, onClose }: { secret?: string; onClose(): void }) {
  const t = useTexts(configuration);
  return (
    <Dialog
      opened={secret !== undefined}
      onClose={onClose}
      title={t.newKey}
      withCloseButton={false}
      closeOnEscape={false}
      closeOnClickOutside={false}
    >
      <Text size="sm" mb="xs">
        {t.newKeyOnce}
      </Text>
      <Code block mb="md" style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
        {secret}
      </Code>
      <Group justify="flex-end" gap="xs">
        <CopyButton value={secret ?? ''}>
          {({ copied, copy }) => (
            <Button variant="default" onClick={copy} aria-live="polite">
              {copied ? t.copied : t.copy}
            </Button>
          )}
        </CopyButton>
        <Button onClick={onClose}>{t.newKeyKept}</Button>
      </Group>
    </Dialog>
  );
}
