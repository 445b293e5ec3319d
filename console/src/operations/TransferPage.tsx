import { Alert, Button, FileButton, Group, Table, Text, Textarea } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { asProblem, type Problem } from '../api/problem';
import { useMay } from '../api/session';
import { Page } from '../parts/Page';
import { ProblemAlert } from '../parts/ProblemAlert';
import { useLanguage, useTexts } from '../texts';
import { operations } from '../texts/operations';
import { Changes } from './Changes';
import classes from './operations.module.css';
import { type Difference, exportDocument, importDocument, mostBytes, save } from './transfer';

// A longer document is not put into the field: it would only hold up the browser.
const mostShown = 500_000;

/** The configuration as a document: out, and in with its difference shown first. */
export function TransferPage() {
  const t = useTexts(operations);
  const may = useMay();
  return (
    <Page title={t.pages.transfer}>
      <Export />
      {may('config:write') && <Import />}
    </Page>
  );
}

function Export() {
  const t = useTexts(operations);
  const { mutate, isPending, error } = useMutation({
    mutationFn: async (format: 'YAML' | 'JSON') => {
      const day = new Date().toISOString().slice(0, 10);
      const extension = format.toLowerCase();
      save(`casm-configuration-${day}.${extension}`, `application/${extension}`, await exportDocument(format));
    },
  });
  return (
    <section className={classes.card} aria-label={t.exportTitle}>
      <h2>{t.exportTitle}</h2>
      <Text size="sm" mb="xs">
        {t.exportWhy}
      </Text>
      <ProblemAlert problem={error ? asProblem(error) : undefined} />
      <Group gap="xs">
        {(['YAML', 'JSON'] as const).map((format) => (
          <Button key={format} size="xs" variant="default" disabled={isPending} onClick={() => mutate(format)}>
            {t.download(format)}
          </Button>
        ))}
      </Group>
    </section>
  );
}

function Import() {
  const t = useTexts(operations);
  const { language } = useLanguage();
  const client = useQueryClient();
  const [text, setText] = useState('');
  const [tooLarge, setTooLarge] = useState(false);
  const { mutate, isPending, data, error, reset } = useMutation<Difference, Problem, { dryRun: boolean }>({
    mutationFn: async ({ dryRun }) => {
      try {
        return await importDocument(text, dryRun);
      } catch (e) {
        throw asProblem(e);
      }
    },
    onSuccess: (answer) => answer.dryRun || client.invalidateQueries({ queryKey: ['config'] }),
  });
  const take = (given: string) => {
    setText(given);
    setTooLarge(false);
    reset();
  };
  const deleted = data?.changes.filter((c) => c.change === 'deleted').length ?? 0;
  return (
    <section className={classes.card} aria-label={t.importTitle} style={{ marginTop: 'var(--mantine-spacing-md)' }}>
      <h2>{t.importTitle}</h2>
      <Text size="sm" mb="xs">
        {t.importWhy}
      </Text>
      <Group gap="xs" mb="xs">
        <FileButton
          accept=".yaml,.yml,.json,application/yaml,application/json"
          onChange={async (file) => {
            if (!file) return;
            if (file.size > mostBytes) setTooLarge(true);
            else take(await file.text());
          }}
        >
          {(props) => (
            <Button size="xs" variant="default" {...props}>
              {t.file}
            </Button>
          )}
        </FileButton>
        {text.length > mostShown && (
          <Button size="xs" variant="default" onClick={() => take('')}>
            {t.forget}
          </Button>
        )}
      </Group>
      {tooLarge && (
        <Alert color="red" role="alert" mb="xs">
          {t.tooLarge}
        </Alert>
      )}
      {text.length > mostShown ? (
        <Text size="sm">{t.tooLong(text.length.toLocaleString(language))}</Text>
      ) : (
        <Textarea
          label={t.document}
          description={t.documentHint}
          autosize
          minRows={6}
          maxRows={18}
          spellCheck={false}
          styles={{ input: { fontFamily: 'monospace', fontSize: 'var(--mantine-font-size-sm)' } }}
          value={text}
          onChange={(e) => take(e.currentTarget.value)}
        />
      )}
      <Group gap="xs" my="sm">
        <Button size="xs" disabled={text.trim() === ''} loading={isPending} onClick={() => mutate({ dryRun: true })}>
          {t.preview}
        </Button>
      </Group>
      <Refused problem={error ?? undefined} />
      {data && (
        <section aria-live="polite">
          {data.changes.length === 0 && <Alert color="teal">{t.noDifference}</Alert>}
          {data.changes.length > 0 && (
            <>
              <Alert color={data.dryRun ? 'blue' : 'teal'} mb="xs">
                <b>{data.dryRun ? t.wouldChange(data.changes.length) : t.didChange(data.changes.length)}</b>
                {data.dryRun && deleted > 0 && <Text size="sm">{t.willDelete(deleted)}</Text>}
              </Alert>
              <Changes changes={data.changes} />
              {data.dryRun && (
                <Button mt="sm" color={deleted > 0 ? 'red' : undefined} loading={isPending} onClick={() => mutate({ dryRun: false })}>
                  {t.doImport(data.changes.length)}
                </Button>
              )}
            </>
          )}
        </section>
      )}
    </section>
  );
}

/** What is wrong with the document, and where in it. */
function Refused({ problem }: { problem?: Problem }) {
  const t = useTexts(operations);
  const placed = problem?.errors.filter((e) => e.pointer) ?? [];
  return (
    <>
      <ProblemAlert problem={problem} hasField={(pointer) => pointer !== ''} />
      {placed.length > 0 && (
        <Table fz="sm" aria-label={t.wrong}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t.where}</Table.Th>
              <Table.Th>{t.wrong}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {placed.map((e, i) => (
              <Table.Tr key={i}>
                <Table.Td ff="monospace">
                  <bdi>{e.pointer}</bdi>
                </Table.Td>
                <Table.Td>
                  <bdi>{e.detail}</bdi>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </>
  );
}
