const NAMES = {
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  413: 'Payload Too Large',
  415: 'Unsupported Media Type',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
} as const;

export type ErrorStatus = keyof typeof NAMES;

export interface ErrorBody {
  readonly statusCode: ErrorStatus;
  readonly error: string;
  readonly message: string;
}

/** An answer that is no success, in the one form that Instantly gives them. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: ErrorStatus;

  constructor(status: ErrorStatus, message: string) {
    super(message);
    this.status = status;
  }

  get body(): ErrorBody {
    return { statusCode: this.status, error: NAMES[this.status], message: this.message };
  }
}

export function notFound(): ApiError {
  return new ApiError(404, 'Resource not found');
}
