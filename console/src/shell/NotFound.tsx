import { Text } from '@mantine/core';
import { Page } from '../parts/Page';
import { useTexts } from '../texts';
import { shell } from '../texts/shell';

export function NotFound() {
  const t = useTexts(shell);
  return (
    <Page title={t.notFound}>
      <Text>{t.notFoundHow}</Text>
    </Page>
  );
}
