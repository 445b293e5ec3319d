import { Text } from '@mantine/core';
import { Page } from '../parts/Page';
import { useTexts } from '../texts';
import { shell } from '../texts/shell';

export function Start() {
  const t = useTexts(shell);
  return (
    <Page title={t.perspectives.care}>
      <Text>{t.comes}</Text>
    </Page>
  );
}
