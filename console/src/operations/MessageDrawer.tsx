import { Button, Code, CopyButton, Drawer, Group, Stack, Table, Title } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { When } from '../parts/When';
import { useTexts } from '../texts';
import { operations } from '../texts/operations';
import { careOf, curlOf, nameOf, readable } from './about';
import type { Item } from './feed';
import classes from './operations.module.css';

/** One message as a whole: what the feed tells of it, its headers, its body. */
export function MessageDrawer({ item, close }: { item?: Item; close(): void }) {
  const t = useTexts(operations);
  return (
    <Drawer.Root opened={item !== undefined} onClose={close} position="right" size="lg">
      <Drawer.Overlay />
      <Drawer.Content>
        <Drawer.Body>
          <Group justify="space-between" wrap="nowrap" my="sm">
            <Drawer.Title fw={600}>{item && <bdi>{nameOf(item)}</bdi>}</Drawer.Title>
            <Drawer.CloseButton aria-label={t.close} />
          </Group>
          {item && <Message item={item} t={t} />}
        </Drawer.Body>
      </Drawer.Content>
    </Drawer.Root>
  );
}

function Message({ item, t }: { item: Item; t: (typeof operations)['en'] }) {
  const care = careOf(item);
  const body = readable(item.payload);
  const facts: [string, string | undefined][] = [
    [t.event, `${item.messageCode} ${item.event}`],
    [t.operation, item.operation],
    [t.actor, item.actor],
    [t.comment, item.comment],
    [t.requestId, item.requestId],
    [t.transaction, item.transactionId],
    [t.position, item.position],
  ];
  return (
    <Stack gap="md">
      <Group gap="xs">
        {care && (
          <Button size="xs" component={Link} to={care}>
            {t.openInCare}
          </Button>
        )}
        <Copy text={curlOf(item)} label={t.copyCurl} copied={t.copied} />
        <Copy text={body} label={t.copyBody} copied={t.copied} />
      </Group>
      <dl className={classes.facts}>
        <dt>{t.time}</dt>
        <dd>
          <When at={item.timestamp} />
        </dd>
        {facts
          .filter(([, value]) => value)
          .map(([name, value]) => (
            <Fact key={name} name={name} value={value!} />
          ))}
      </dl>
      {item.headers && (
        <section>
          <Title order={3}>{t.headers}</Title>
          <Table fz="xs" aria-label={t.headers}>
            <Table.Tbody>
              {Object.entries(item.headers).map(([name, value]) => (
                <Table.Tr key={name}>
                  <Table.Th scope="row" fw={500}>
                    {name}
                  </Table.Th>
                  <Table.Td>
                    <bdi>{value}</bdi>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </section>
      )}
      <section>
        <Title order={3}>{t.body}</Title>
        <Code block className={classes.code}>
          {body}
        </Code>
      </section>
      <section>
        <Title order={3}>{t.curl}</Title>
        <Code block className={classes.code}>
          {curlOf(item)}
        </Code>
      </section>
    </Stack>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>
        <bdi>{value}</bdi>
      </dd>
    </>
  );
}

function Copy({ text, label, copied }: { text: string; label: string; copied: string }) {
  return (
    <CopyButton value={text}>
      {(clipboard) => (
        <Button size="xs" variant="default" onClick={clipboard.copy} aria-live="polite">
          {clipboard.copied ? copied : label}
        </Button>
      )}
    </CopyButton>
  );
}
