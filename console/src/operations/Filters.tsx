import { Group, NativeSelect, TextInput } from '@mantine/core';
import { useState } from 'react';
import { api } from '../api/client';
import { asProblem } from '../api/problem';
import { useTexts } from '../texts';
import { operations } from '../texts/operations';
import { type Filter, messageCodes } from './feed';

const refId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** What the server filters by; `children` are what the page filters by itself. */
export function Filters({ filter, onChange, children }: { filter: Filter; onChange(filter: Filter): void; children?: React.ReactNode }) {
  const t = useTexts(operations);
  const [customer, setCustomer] = useState('');
  const [error, setError] = useState<string>();

  /** A customer is named by its refId, or by the external id that people know. */
  async function choose() {
    const given = customer.trim();
    setError(undefined);
    if (given === '' || refId.test(given)) {
      onChange({ ...filter, customer: given || undefined });
      return;
    }
    try {
      const { data } = await api.GET('/v1/casm/customers/read', { params: { query: { externalId: given } } });
      onChange({ ...filter, customer: (data as { refId: string }).refId });
    } catch (e) {
      const problem = asProblem(e);
      setError(problem.has('not_found') ? t.noCustomer : problem.detail || problem.title);
    }
  }

  return (
    <Group gap="sm" align="flex-start" mb="sm">
      <NativeSelect
        label={t.messageCode}
        size="xs"
        value={filter.messageCode ?? ''}
        onChange={(e) => onChange({ ...filter, messageCode: e.currentTarget.value || undefined })}
        data={[{ value: '', label: t.allMessages }, ...messageCodes]}
      />
      {children}
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void choose();
        }}
      >
        <TextInput
          label={t.customer}
          size="xs"
          placeholder={t.customerHint}
          value={customer}
          error={error}
          onChange={(e) => setCustomer(e.currentTarget.value)}
          onBlur={() => void choose()}
        />
      </form>
    </Group>
  );
}
