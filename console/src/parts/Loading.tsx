import { Center, Loader } from '@mantine/core';
import { useTexts } from '../texts';
import { shell } from '../texts/shell';

export function Loading() {
  const t = useTexts(shell);
  return (
    <Center p="xl" role="status" aria-label={t.loading}>
      <Loader size="sm" />
    </Center>
  );
}
