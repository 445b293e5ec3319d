import { Anchor, SimpleGrid, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { Page } from '../parts/Page';
import { perspectiveNames, perspectives } from '../perspectives';
import { useLanguage, useTexts } from '../texts';
import { shell } from '../texts/shell';

export function FirstPage() {
  const t = useTexts(shell);
  const { language } = useLanguage();
  return (
    <Page title={t.welcome}>
      <Text mb="md">{t.welcomeText}</Text>
      <SimpleGrid cols={{ base: 1, sm: 2 }} maw={640}>
        {perspectiveNames.map((name) => (
          <Anchor key={name} component={Link} to={perspectives[name](language)[0]!.entries[0]!.path}>
            {t.perspectives[name]}
          </Anchor>
        ))}
      </SimpleGrid>
    </Page>
  );
}
