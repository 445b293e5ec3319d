import { Box, Group, Title } from '@mantine/core';
import { type ReactNode, useEffect } from 'react';

/** A page: its title, what can be done with it, its content. */
export function Page({ title, actions, children }: { title: string; actions?: ReactNode; children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} – casm`;
  }, [title]);
  return (
    <Box>
      <Group justify="space-between" align="center" mb="md" gap="sm">
        <Title order={1}>
          <bdi>{title}</bdi>
        </Title>
        {actions && <Group gap="xs">{actions}</Group>}
      </Group>
      {children}
    </Box>
  );
}
