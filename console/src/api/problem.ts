/** One thing that is wrong: the pointer says where in the request. */
export interface Violation {
  code: string;
  pointer: string;
  detail: string;
}

/** Why a request was not done. Status 0: the server could not be reached, and nobody knows whether it was done. */
export class Problem extends Error {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly errors: Violation[];
  /** The seconds after which to try again, where the server says it. */
  readonly retryAfter?: number;

  constructor(status: number, title: string, detail: string, errors: Violation[] = [], retryAfter?: number) {
    super(detail || title);
    this.status = status;
    this.title = title;
    this.detail = detail;
    this.errors = errors;
    this.retryAfter = retryAfter;
  }

  has(code: string) {
    return this.errors.some((e) => e.code === code);
  }

  /** Trying the same again may help: nothing was done, or nobody knows. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** The problem that a response tells. */
export async function problemOf(response: Response): Promise<Problem> {
  const type = response.headers.get('Content-Type') ?? '';
  if (type.startsWith('application/problem+json')) {
    const body = await response.json();
    const wait = Number(response.headers.get('Retry-After'));
    return new Problem(response.status, body.title, body.detail, body.errors, wait > 0 ? wait : undefined);
  }
  return new Problem(response.status, response.statusText, '');
}

/** Any thrown value as a Problem. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem(-1, 'Error', error instanceof Error ? error.message : String(error));
}
